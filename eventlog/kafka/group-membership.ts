import { AssignerProtocol } from 'kafkajs'
import { FencedError } from '../event-log.ts'
import { protocolError, toLogError } from './errors.ts'
import { byTopic } from './cluster.ts'
import type { Broker, Cluster, GroupMetadata, TopicPartition } from './cluster.ts'

/** The protocol's name in the group; the Java client's name for the same assignment. */
const ROUND_ROBIN = 'roundrobin'
const { MemberAssignment, MemberMetadata } = AssignerProtocol
const NO_DATA = Buffer.alloc(0)

/** One membership between two rebalances: what the coordinator checks every commit against. */
export interface Generation {
  id: number
  memberId: string
  partitions: TopicPartition[]
}

export interface CommittedPosition extends TopicPartition {
  offset: number
  metadata: string
}

/**
 * One member of a consumer group: the requests of the group protocol, each bound to the generation that it is
 * made for. Errors: FencedError where the member has to join again, LogUnavailableError otherwise.
 */
export class GroupMembership {
  readonly #cluster: Cluster
  readonly #groupId: string
  readonly #topics: readonly string[]
  readonly #sessionTimeoutMs: number
  readonly #rebalanceTimeoutMs: number
  #coordinator: Broker | undefined
  #memberId = ''

  constructor ({ cluster, groupId, topics, sessionTimeoutMs, rebalanceTimeoutMs }: {
    cluster: Cluster
    groupId: string
    topics: readonly string[]
    sessionTimeoutMs: number
    rebalanceTimeoutMs: number
  }) {
    this.#cluster = cluster
    this.#groupId = groupId
    this.#topics = topics
    this.#sessionTimeoutMs = sessionTimeoutMs
    this.#rebalanceTimeoutMs = rebalanceTimeoutMs
  }

  /** Takes part in a rebalance and returns when it is over; waits for the other members of the group. */
  async join (): Promise<Generation> {
    return await this.#ask('join the group', async (coordinator) => {
      await this.#cluster.addMultipleTargetTopics([...this.#topics])
      const group = await coordinator.joinGroup({
        groupId: this.#groupId,
        memberId: this.#memberId,
        sessionTimeout: this.#sessionTimeoutMs,
        rebalanceTimeout: this.#rebalanceTimeoutMs,
        groupProtocols: [{
          name: ROUND_ROBIN,
          metadata: MemberMetadata.encode({ version: 0, topics: [...this.#topics], userData: NO_DATA })
        }]
      })
      this.#memberId = group.memberId
      const { memberAssignment } = await coordinator.syncGroup({
        groupId: this.#groupId,
        generationId: group.generationId,
        memberId: group.memberId,
        groupAssignment: group.leaderId === group.memberId ? await this.#assign(group) : []
      })
      const assignment = Object.entries(MemberAssignment.decode(memberAssignment)?.assignment ?? {})
      const partitions = assignment.flatMap(([topic, ids]) => ids.map((partition) => ({ topic, partition })))
      return { id: group.generationId, memberId: group.memberId, partitions }
    })
  }

  async heartbeat ({ id, memberId }: Generation): Promise<void> {
    await this.#ask('heartbeat', async (coordinator) => {
      await coordinator.heartbeat({ groupId: this.#groupId, groupGenerationId: id, memberId })
    })
  }

  async commit (generation: Generation, position: CommittedPosition): Promise<void> {
    const { id, memberId } = generation
    const { topic, partition, offset, metadata } = position
    await this.#ask(`commit ${topic}/${partition}`, async (coordinator) => {
      await coordinator.offsetCommit({
        groupId: this.#groupId,
        groupGenerationId: id,
        memberId,
        topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }]
      })
    })
  }

  /**
   * Where the group stands in each partition; the partition's first offset where nothing was committed.
   * Asked after the join, it is final for every earlier generation: the coordinator answers a join only when
   * the new generation is in its log, behind every commit that it had accepted.
   */
  async committed (partitions: readonly TopicPartition[]): Promise<CommittedPosition[]> {
    if (partitions.length === 0) return []
    return await this.#ask('read the committed offsets', async (coordinator) => {
      const topics = byTopic(partitions)
      const { responses } = await coordinator.offsetFetch({ groupId: this.#groupId, topics })
      const positions = responses.flatMap(({ topic, partitions: some }) =>
        some.map(({ partition, offset, metadata }) => ({
          topic, partition, offset: Number(offset), metadata: metadata ?? ''
        })))
      const unset = positions.filter(({ offset }) => offset < 0)
      const begins = await beginOffsets(this.#cluster, unset)
      for (const position of unset) position.offset = begins(position)
      return positions
    })
  }

  /** Gives the partitions back at once instead of after the session timeout. */
  async leave (): Promise<void> {
    const memberId = this.#memberId
    if (memberId === '') return
    await this.#ask('leave the group', async (coordinator) => {
      await coordinator.leaveGroup({ groupId: this.#groupId, memberId })
    })
    this.#memberId = ''
  }

  /** After any failure the coordinator is looked up again: it may have moved. */
  async #ask<T> (what: string, request: (coordinator: Broker) => Promise<T>): Promise<T> {
    try {
      if (this.#coordinator === undefined) {
        await this.#cluster.connect()
        await this.#cluster.refreshMetadataIfNecessary()
        this.#coordinator = await this.#cluster.findGroupCoordinator({ groupId: this.#groupId })
      }
      return await request(this.#coordinator)
    } catch (error) {
      if (protocolError(error) === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
      const toThrow = toLogError(error, `${what} (group ${this.#groupId})`)
      if (!(toThrow instanceof FencedError)) this.#coordinator = undefined
      throw toThrow
    }
  }

  /**
   * Each topic's partitions to those members in turn that want the topic: while a new version is rolled out,
   * not all of them know the same topics.
   */
  async #assign ({ members }: GroupMetadata): Promise<Array<{ memberId: string, memberAssignment: Buffer }>> {
    const wanted = new Map<string, string[]>()
    for (const { memberId, memberMetadata } of members.toSorted((a, b) => a.memberId < b.memberId ? -1 : 1)) {
      for (const topic of MemberMetadata.decode(memberMetadata)?.topics ?? []) {
        wanted.set(topic, [...wanted.get(topic) ?? [], memberId])
      }
    }
    await this.#cluster.addMultipleTargetTopics([...wanted.keys()])
    await this.#cluster.refreshMetadata()
    const assigned: Array<TopicPartition & { memberId: string }> = []
    for (const [topic, memberIds] of [...wanted].sort(([a], [b]) => a < b ? -1 : 1)) {
      const ids = this.#cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
      for (const partition of ids.sort((a, b) => a - b)) {
        const memberId = memberIds[assigned.length % memberIds.length] as string
        assigned.push({ topic, partition, memberId })
      }
    }
    return members.map(({ memberId }) => {
      const own = byTopic(assigned.filter((one) => one.memberId === memberId))
      const assignment = Object.fromEntries(own.map(({ topic, partitions }) =>
        [topic, partitions.map(({ partition }) => partition)]))
      return {
        memberId,
        memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData: NO_DATA })
      }
    })
  }
}

/** The oldest offset that each of the partitions still holds. */
export async function beginOffsets (
  cluster: Cluster, partitions: readonly TopicPartition[]
): Promise<(of: TopicPartition) => number> {
  if (partitions.length === 0) return () => 0
  const topics = byTopic(partitions).map((topic) => ({ ...topic, fromBeginning: true as const }))
  const answers = await cluster.fetchTopicsOffset(topics)
  const offsets = new Map(answers.flatMap(({ topic, partitions: some }) =>
    some.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)] as const)))
  return ({ topic, partition }) => offsets.get(`${topic}/${partition}`) ?? 0
}
