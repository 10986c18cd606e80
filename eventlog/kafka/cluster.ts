/**
 * The part of kafkajs below its consumer: a cluster (connections, metadata, SASL, TLS) and the requests of
 * the group and fetch protocols.
 *
 * kafkajs's own consumer is not used. Its commit retries by itself, and a retry that comes after a rejoin
 * goes out under the new generation, so a session that lost its partition could overwrite its successor's
 * commit; it also reports success when the consumer is not running. Here every commit names its generation.
 */
import type { Cluster as TypedCluster, Kafka } from 'kafkajs'

export interface TopicPartition {
  topic: string
  partition: number
}

export interface GroupMetadata {
  generationId: number
  memberId: string
  leaderId: string
  members: Array<{ memberId: string, memberMetadata: Buffer }>
}

export interface FetchedMessage {
  offset: string
  key: Buffer | null
  value: Buffer | null
  timestamp: string
  isControlRecord: boolean
}

export interface FetchRequest {
  maxWaitTime: number
  minBytes: number
  maxBytes: number
  topics: Array<{
    topic: string
    partitions: Array<{ partition: number, fetchOffset: string, maxBytes: number }>
  }>
}

interface Topics<P> {
  topic: string
  partitions: P[]
}

/** What kafkajs's Broker does; its typings leave the group protocol out. */
export interface Broker {
  isConnected: () => boolean
  disconnect: () => Promise<void>
  joinGroup: (request: {
    groupId: string
    memberId: string
    sessionTimeout: number
    rebalanceTimeout: number
    groupProtocols: Array<{ name: string, metadata: Buffer }>
  }) => Promise<GroupMetadata>
  syncGroup: (request: {
    groupId: string
    generationId: number
    memberId: string
    groupAssignment: Array<{ memberId: string, memberAssignment: Buffer }>
  }) => Promise<{ memberAssignment: Buffer }>
  heartbeat: (request: { groupId: string, groupGenerationId: number, memberId: string }) => Promise<unknown>
  leaveGroup: (request: { groupId: string, memberId: string }) => Promise<unknown>
  offsetCommit: (request: {
    groupId: string
    groupGenerationId: number
    memberId: string
    topics: Array<Topics<{ partition: number, offset: string, metadata: string }>>
  }) => Promise<unknown>
  offsetFetch: (request: { groupId: string, topics: Array<Topics<{ partition: number }>> }) => Promise<{
    responses: Array<Topics<{ partition: number, offset: string, metadata: string | null }>>
  }>
  fetch: (request: FetchRequest) => Promise<{
    responses: Array<{
      topicName: string
      partitions: Array<{ partition: number, messages: FetchedMessage[] }>
    }>
  }>
}

export interface Cluster {
  isConnected: () => boolean
  connect: () => Promise<void>
  disconnect: () => Promise<void>
  addMultipleTargetTopics: (topics: string[]) => Promise<void>
  refreshMetadata: () => Promise<void>
  refreshMetadataIfNecessary: () => Promise<void>
  findBroker: (node: { nodeId: string }) => Promise<Broker>
  findGroupCoordinator: (group: { groupId: string }) => Promise<Broker>
  findTopicPartitionMetadata: (topic: string) => Array<{ partitionId: number }>
  findLeaderForPartitions: (topic: string, partitions: number[]) => Record<string, number[]>
  fetchTopicsOffset: (topics: Array<Topics<{ partition: number }> & { fromBeginning: true }>) => Promise<
    Array<Topics<{ partition: number, offset: string }>>
  >
}

/** A cluster with connections of its own: kafkajs hands one to every consumer's partition assigner. */
export function openCluster (kafka: Kafka, groupId: string): Cluster {
  let cluster: TypedCluster | undefined
  kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    partitionAssigners: [(config: { cluster: TypedCluster }) => {
      cluster = config.cluster
      return UNUSED_ASSIGNER
    }]
  })
  if (cluster === undefined) throw new TypeError('kafkajs made no cluster')
  return cluster as unknown as Cluster
}

const UNUSED_ASSIGNER = {
  name: 'unused',
  version: 0,
  assign: async () => [],
  protocol: () => ({ name: 'unused', metadata: Buffer.alloc(0) })
}

/** Partitions in the shape of Kafka's requests. */
export function byTopic<P extends TopicPartition> (partitions: readonly P[]): Array<Topics<P>> {
  const topics = Map.groupBy(partitions, ({ topic }) => topic)
  return [...topics].map(([topic, some]) => ({ topic, partitions: some }))
}
