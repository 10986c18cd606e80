/**
 * Topics and their records. LMDB holds the topics and which segments they have; the records are in the
 * segments, which the thread that appends writes and this reads.
 */
import { LogUnavailableError, RecordTooLargeError } from '../event-log.ts'
import { HeadFile, headPath } from './head-file.ts'
import { TOPIC, after, newestSegment, topicKey } from './record-keys.ts'
import { TopicReader } from './topic-reader.ts'
import { UnknownTopicError } from './errors.ts'
import { addSegment, sealedBytes, topicMetas } from './segment-catalog.ts'
import { batchBytes, encodeBatch, encodedBytes } from './record-batch.ts'
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
  /** Of the segments and the heads. */
  directory: string
  appends: AppendClient
  recordBytesMax: number
  /** Bound on what appends of this process hold in memory until they are durable or refused. */
  pendingBytesMax: number
  defaultRetentionMs: number
}

const TOPIC_NAME_BYTES_MAX = 249
const PARTITIONS_MAX = 1000

export class RecordStore {
  readonly #options: RecordStoreOptions
  readonly #environment: Environment<Buffer, Buffer>
  readonly #heads: HeadFile
  readonly #topics = new Map<string, TopicMeta>()
  readonly #readers = new Map<number, TopicReader>()

  constructor (options: RecordStoreOptions) {
    this.#options = options
    this.#environment = options.environment
    this.#heads = new HeadFile(headPath(options.directory))
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

  /** Of all frames, as far as they are known to be durable. */
  bytes (): number {
    const database = this.#environment.fresh()
    return topicMetas(database).reduce((sum, { id }) => {
      const head = this.#heads.read(id)
      return head?.segment === newestSegment(database, id) ? sum + head.at : sum
    }, sealedBytes(database))
  }

  /** Throws what LMDB throws when it cannot be read. */
  ping (): void {
    sealedBytes(this.#environment.fresh())
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
    const { appends, pendingBytesMax } = this.#options
    if (appends.heldBytes + bytes > pendingBytesMax) throw new LogUnavailableError('Too many appends are waiting')
    const bases = await appends.append({ topicId: topic.id, ...encodeBatches(groups, bytes) })
    const locations = new Array<RecordLocation>(records.length)
    groups.forEach(({ partition, positions }, at) => positions.forEach((position, index) => {
      locations[position] = { partition, offset: bases[at] as number + index }
    }))
    return locations
  }

  /** Commits as an append does, without a record. */
  async checkAppend (topicName: string): Promise<void> {
    const { id } = this.topic(topicName)
    await this.#options.appends.append({ topicId: id, batches: [], buffer: new Uint8Array(0) })
  }

  offsets (topicName: string): PartitionOffsets[] {
    return this.#reader(this.topic(topicName)).offsets()
  }

  /** Begin offset of one partition. */
  begin (topicName: string, partition: number): number {
    return (this.offsets(topicName)[partition] as PartitionOffsets).begin
  }

  /** The durable records from `offset` on, in order; ends at the end of the partition. */
  records (topicName: string, partition: number, offset: number): Generator<LogRecord> {
    return this.#reader(this.topic(topicName)).records(partition, offset)
  }

  close (): void {
    for (const reader of this.#readers.values()) reader.close()
    this.#heads.close()
  }

  #reader ({ id: topicId }: TopicMeta): TopicReader {
    const known = this.#readers.get(topicId)
    if (known !== undefined) return known
    const { directory, environment: { fresh } } = this.#options
    const reader = new TopicReader({ topicId, directory, fresh, heads: this.#heads })
    this.#readers.set(topicId, reader)
    return reader
  }

  #createTopic ({ name, partitions, retentionMs }: TopicSpec): void {
    const { database } = this.#environment
    if (database.get(topicKey(name)) !== undefined) return
    const id = database.getKeysCount({ start: TOPIC, end: after(TOPIC) })
    const meta: TopicMeta = { id, partitions, retentionMs: retentionMs ?? this.#options.defaultRetentionMs }
    database.putSync(topicKey(name), Buffer.from(JSON.stringify(meta)))
    addSegment(database, id, 0, new Array<number>(partitions).fill(0))
  }

  #byPartition (topic: TopicMeta, records: readonly AppendRecord[]): PartitionGroup[] {
    const groups = new Map<number, PartitionGroup>()
    records.forEach((record, position) => {
      if (encodedBytes(record) > this.#options.recordBytesMax) {
        throw new RecordTooLargeError(`A record of ${encodedBytes(record)} bytes exceeds the limit of ` +
          `${this.#options.recordBytesMax}`)
      }
      const named = record.partition
      const partition = named !== undefined && named < topic.partitions
        ? named
        : partitionOf(record.key, topic.partitions)
      const group = groups.get(partition)
      if (group === undefined) groups.set(partition, { partition, positions: [position], records: [record] })
      else {
        group.positions.push(position)
        group.records.push(record)
      }
    })
    return [...groups.values()]
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
