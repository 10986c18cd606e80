/** Topics and their records in one LMDB environment, laid out as record-keys.ts says. */
import { LogUnavailableError, RecordTooLargeError } from '../event-log.ts'
import {
  BYTES, TOPIC, after, baseOf, batchKey, endOffset, putStoredBytes, storedBytes, topicKey
} from './record-keys.ts'
import { UnknownTopicError } from './errors.ts'
import { batchBytes, decodeBatch, encodeBatch, encodedBytes, newestTimestamp } from './record-batch.ts'
import { partitionOf } from './partitioner.ts'
import type { Append } from './append-message.ts'
import type { AppendClient } from './append-client.ts'
import type { Environment } from './environment.ts'
import type { AppendRecord, LogRecord, PartitionOffsets, RecordLocation, TopicSpec } from '../event-log.ts'

export interface TopicMeta {
  id: number
  partitions: number
  retentionMs: number
}

export interface RecordStoreOptions {
  environment: Environment<Buffer, Buffer>
  appends: AppendClient
  recordBytesMax: number
  /** Bound on what appends of this process hold in memory until they are durable. */
  pendingBytesMax: number
  defaultRetentionMs: number
}

const TOPIC_NAME_BYTES_MAX = 249
const PARTITIONS_MAX = 1000
/** Batches that one retention step deletes: bounds how long it holds the write lock. */
const EXPIRE_BATCHES_MAX = 256

export class RecordStore {
  readonly #options: RecordStoreOptions
  readonly #environment: Environment<Buffer, Buffer>
  readonly #topics = new Map<string, TopicMeta>()
  #pendingBytes = 0

  constructor (options: RecordStoreOptions) {
    this.#options = options
    this.#environment = options.environment
  }

  async createTopics (topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions } of topics) {
      const bytes = Buffer.byteLength(name)
      const valid = bytes > 0 && bytes <= TOPIC_NAME_BYTES_MAX &&
        Number.isInteger(partitions) && partitions > 0 && partitions <= PARTITIONS_MAX
      if (!valid) throw new RangeError(`Topic '${name}' with ${partitions} partitions is out of bounds`)
    }
    await this.#environment.write(() => {
      for (const spec of topics) this.#createTopic(spec)
    })
  }

  /** Throws what LMDB throws when it cannot be read. */
  ping (): void {
    this.#environment.fresh().get(BYTES)
  }

  /** Throws UnknownTopicError. */
  topic (name: string): TopicMeta {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const stored = this.#environment.fresh().get(topicKey(name))
    if (stored === undefined) throw new UnknownTopicError(`There is no topic '${name}'`)
    const meta = JSON.parse(stored.toString()) as TopicMeta
    this.#topics.set(name, meta)
    return meta
  }

  async append (topicName: string, records: readonly AppendRecord[]): Promise<RecordLocation[]> {
    const topic = this.topic(topicName)
    if (records.length === 0) return []
    const groups = this.#byPartition(topic, records)
    const bytes = groups.reduce((sum, group) => sum + batchBytes(group.records), 0)
    if (this.#pendingBytes + bytes > this.#options.pendingBytesMax) {
      throw new LogUnavailableError('Too many appends are waiting')
    }
    this.#pendingBytes += bytes
    try {
      const bases = await this.#options.appends.append({ topicId: topic.id, ...encodeBatches(groups, bytes) })
      const locations = new Array<RecordLocation>(records.length)
      groups.forEach(({ partition, positions }, at) => positions.forEach((position, index) => {
        locations[position] = { partition, offset: bases[at] as number + index }
      }))
      return locations
    } finally {
      this.#pendingBytes -= bytes
    }
  }

  /** Commits as an append does, without a record. */
  async checkAppend (topicName: string): Promise<void> {
    const { id } = this.topic(topicName)
    await this.#options.appends.append({ topicId: id, batches: [], buffer: new Uint8Array(0) })
  }

  offsets (topicName: string): PartitionOffsets[] {
    const topic = this.topic(topicName)
    this.#environment.fresh()
    return Array.from({ length: topic.partitions }, (_, partition) => {
      const end = this.#end(topic, partition)
      return { partition, begin: this.#baseAtOrAfter(topic, partition, 0) ?? end, end }
    })
  }

  /** Begin offset of one partition. */
  begin (topicName: string, partition: number): number {
    const topic = this.topic(topicName)
    this.#environment.fresh()
    return this.#baseAtOrAfter(topic, partition, 0) ?? this.#end(topic, partition)
  }

  /** The committed records from `offset` on, in order; ends at the end of the partition. */
  * records (topicName: string, partition: number, offset: number): Generator<LogRecord> {
    const topic = this.topic(topicName)
    const database = this.#environment.fresh()
    if (offset >= this.#end(topic, partition)) return
    let base = this.#baseAtOrBefore(topic, partition, offset) ?? this.#baseAtOrAfter(topic, partition, offset)
    while (base !== undefined) {
      const batch = database.getBinary(batchKey(topic.id, partition, base))
      if (batch !== undefined) yield * decodeBatch(batch, base, offset)
      base = this.#baseAtOrAfter(topic, partition, base + 1)
    }
  }

  /** One bounded step of retention: deletes batches older than their topic allows; true if more are left. */
  async expire (nowMs: number): Promise<boolean> {
    return await this.#environment.write(() => {
      const topics = [...this.#environment.database.getRange({ start: TOPIC, end: after(TOPIC) })]
        .map(({ value }) => JSON.parse(value.toString()) as TopicMeta)
      let left = EXPIRE_BATCHES_MAX
      for (const topic of topics) {
        for (let partition = 0; partition < topic.partitions && left > 0; partition++) {
          left -= this.#expirePartition(topic, partition, nowMs - topic.retentionMs, left)
        }
      }
      return left === 0
    })
  }

  #createTopic ({ name, partitions, retentionMs }: TopicSpec): void {
    const { database } = this.#environment
    if (database.get(topicKey(name)) !== undefined) return
    const id = database.getKeysCount({ start: TOPIC, end: after(TOPIC) })
    const meta: TopicMeta = { id, partitions, retentionMs: retentionMs ?? this.#options.defaultRetentionMs }
    database.putSync(topicKey(name), Buffer.from(JSON.stringify(meta)))
  }

  #byPartition (topic: TopicMeta, records: readonly AppendRecord[]): PartitionGroup[] {
    const groups = new Map<number, PartitionGroup>()
    records.forEach((record, position) => {
      if (encodedBytes(record) > this.#options.recordBytesMax) {
        throw new RecordTooLargeError(`A record of ${encodedBytes(record)} bytes exceeds the limit of ` +
          `${this.#options.recordBytesMax}`)
      }
      const partition = partitionOf(record.key, topic.partitions)
      const group = groups.get(partition)
      if (group === undefined) groups.set(partition, { partition, positions: [position], records: [record] })
      else {
        group.positions.push(position)
        group.records.push(record)
      }
    })
    return [...groups.values()]
  }

  #expirePartition (topic: TopicMeta, partition: number, beforeMs: number, most: number): number {
    const { database } = this.#environment
    for (let deleted = 0; deleted < most; deleted++) {
      const base = this.#baseAtOrAfter(topic, partition, 0)
      if (base === undefined) return deleted
      const key = batchKey(topic.id, partition, base)
      const batch = database.getBinary(key) as Buffer
      if (newestTimestamp(batch) >= beforeMs) return deleted
      database.removeSync(key)
      putStoredBytes(database, storedBytes(database) - batch.length)
    }
    return most
  }

  #end (topic: TopicMeta, partition: number): number {
    return endOffset(this.#environment.database, topic.id, partition)
  }

  #baseAtOrAfter (topic: TopicMeta, partition: number, offset: number): number | undefined {
    const start = batchKey(topic.id, partition, offset)
    return baseOf(this.#environment.database.getKeys({ start, limit: 1 }), start)
  }

  #baseAtOrBefore (topic: TopicMeta, partition: number, offset: number): number | undefined {
    const start = batchKey(topic.id, partition, offset)
    return baseOf(this.#environment.database.getKeys({ start, limit: 1, reverse: true }), start)
  }
}

/** The records of one call that one partition is given. */
interface PartitionGroup {
  partition: number
  /** Where in the call they stand. */
  positions: number[]
  records: AppendRecord[]
}

/** All batches lie in one buffer, which changes threads without a copy. */
function encodeBatches (groups: readonly PartitionGroup[], bytes: number): Pick<Append, 'batches' | 'buffer'> {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  let start = 0
  const batches = groups.map(({ partition, records }) => {
    const end = encodeBatch(records, buffer, start)
    const batch = { partition, records: records.length, start, end }
    start = end
    return batch
  })
  return { batches, buffer }
}
