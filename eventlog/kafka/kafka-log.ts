import pRetry from 'p-retry'
import { GroupConsumer } from './group-consumer.ts'
import { GroupMembership } from './group-membership.ts'
import { TopicProducer } from './topic-producer.ts'
import { openCluster } from './cluster.ts'
import { toClient, toLimits, toTopicConfig } from './settings.ts'
import { protocolError, toLogError, within } from './errors.ts'
import type { Admin, Kafka } from 'kafkajs'
import type { Options } from 'p-retry'
import type {
  AppendRecord, ConsumeOptions, Consumer, EventLog, PartitionCommit, PartitionOffsets, RecordLocation,
  TopicSpec
} from '../event-log.ts'
import type { KafkaSettings, Limits } from './settings.ts'

/** Bound on what is asked of the cluster, with kafkajs's retries. */
const ADMIN_MS_MAX = 15_000

/** A topic or a group is new, or its leader moved: the broker says so, and a moment later it has settled. */
const SETTLING: Options = {
  retries: 5,
  minTimeout: 100,
  maxTimeout: 1000,
  shouldRetry: ({ error }) => protocolError(error) !== '' && 'retriable' in error && error.retriable === true
}

/**
 * The log on Kafka or Redpanda. Nothing is connected here: the first call that needs a broker does that, and
 * throws LogUnavailableError where it cannot.
 */
export function openKafkaLog (settings: KafkaSettings): EventLog {
  return new KafkaLog(settings)
}

class KafkaLog implements EventLog {
  readonly #limits: Limits
  readonly #kafka: Kafka
  #admin: Admin
  readonly #producers = new Map<string, TopicProducer>()
  readonly #consumers = new Set<Consumer>()

  constructor (settings: KafkaSettings) {
    this.#limits = toLimits(settings)
    this.#kafka = toClient(settings, this.#limits)
    this.#admin = this.#kafka.admin()
  }

  async createTopics (topics: readonly TopicSpec[]): Promise<void> {
    await this.#ask('create topics', async (admin) => {
      await admin.createTopics({ topics: topics.map(toTopicConfig) })
    })
  }

  async append (topic: string, records: readonly AppendRecord[]): Promise<RecordLocation[]> {
    return await this.#producer(topic).append(records)
  }

  async checkAppend (topic: string): Promise<void> {
    await this.#producer(topic).check()
    await this.ping()
  }

  async offsets (topic: string): Promise<PartitionOffsets[]> {
    return await this.#ask(`offsets of ${topic}`, async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return offsets
        .map(({ partition, low, high }) => ({ partition, begin: Number(low), end: Number(high) }))
        .sort((a, b) => a.partition - b.partition)
    })
  }

  async committedOffsets (group: string, topic: string): Promise<PartitionCommit[]> {
    return await this.#ask(`committed offsets of ${group}`, async (admin) => {
      const [commits] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      return (commits?.partitions ?? [])
        .map((one) => ({ partition: one.partition, offset: Number(one.offset), metadata: one.metadata ?? '' }))
        .filter(({ offset }) => offset >= 0)
        .sort((a, b) => a.partition - b.partition)
    })
  }

  async consume (options: ConsumeOptions): Promise<Consumer> {
    const cluster = openCluster(this.#kafka, options.group)
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#limits
    const membership = new GroupMembership({
      cluster, groupId: options.group, topics: options.topics, sessionTimeoutMs, rebalanceTimeoutMs
    })
    const consumer = new GroupConsumer({ cluster, membership, options, limits: this.#limits })
    this.#consumers.add(consumer)
    return {
      assignments: () => consumer.assignments(),
      stop: async () => {
        if (this.#consumers.delete(consumer)) await consumer.stop()
      }
    }
  }

  async ping (): Promise<void> {
    await this.#ask('ping', async (admin) => await admin.describeCluster(), this.#limits.requestMsMax)
  }

  async close (): Promise<void> {
    await Promise.all([...this.#consumers].map(async (consumer) => await consumer.stop()))
    await Promise.all([...this.#producers.values()].map(async (producer) => await producer.close()))
    await within(this.#limits.requestMsMax, 'disconnect', this.#admin.disconnect()).catch(() => {})
  }

  #producer (topic: string): TopicProducer {
    let producer = this.#producers.get(topic)
    if (producer === undefined) {
      producer = new TopicProducer({ kafka: this.#kafka, topic, limits: this.#limits })
      this.#producers.set(topic, producer)
    }
    return producer
  }

  async #ask<T> (what: string, request: (admin: Admin) => Promise<T>, msMax = ADMIN_MS_MAX): Promise<T> {
    const admin = this.#admin
    const asked = pRetry(async () => {
      await admin.connect()
      return await request(admin)
    }, SETTLING)
    try {
      return await within(msMax, what, asked)
    } catch (error) {
      // No answer: the connection may be dead, and kafkajs would keep it.
      if (protocolError(error) === '' && this.#admin === admin) {
        this.#admin = this.#kafka.admin()
        admin.disconnect().catch(() => {})
      }
      throw toLogError(error, what)
    }
  }
}
