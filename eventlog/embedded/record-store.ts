/**
 * Topics and their records in one LMDB environment. Keys, big-endian so that they sort by number:
 *
 *     'topic' name                           -> TopicMeta as JSON
 *     'h' u32 topic, u32 partition           -> u64 end offset
 *     'b' u32 topic, u32 partition, u64 base -> record batch
 *     'bytes'                                -> f64 sum of all batches
 *
 * Offsets are given out inside the write transaction, so any number of processes may append.
 */
import { LogUnavailableError, RecordTooLargeError } from '../event-log.ts'
import { LogFullError, UnknownTopicError } from './errors.ts'
import { decodeBatch, encodeBatch, encodedBytes, newestTimestamp } from './record-batch.ts'
import { partitionOf } from './partitioner.ts'
import type { Environment } from './environment.ts'
import type { AppendRecord, LogRecord, PartitionOffsets, RecordLocation, TopicSpec } from '../event-log.ts'

export interface TopicMeta {
  id: number
  partitions: number
  retentionMs: number
}

export interface RecordStoreOptions {
  environment: Environment<Buffer, Buffer>
  recordBytesMax: number
  /** Bound on the sum of all batches. */
  bytesMax: number
  /** Bound on what appends of this process hold in memory until they are durable. */
  pendingBytesMax: number
  defaultRetentionMs: number
}

const TOPIC = Buffer.from('topic')
const BYTES = Buffer.from('bytes')
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
    const batches = this.#toBatches(topic, records)
    const bytes = batches.reduce((sum, { batch }) => sum + batch.length, 0)
    if (this.#pendingBytes + bytes > this.#options.pendingBytesMax) {
      throw new LogUnavailableError('Too many appends are waiting')
    }
    this.#pendingBytes += bytes
    try {
      const bases = await this.#environment.write(() => this.#store(topic, batches, bytes))
      const locations = new Array<RecordLocation>(records.length)
      batches.forEach(({ partition, positions }, at) => positions.forEach((position, index) => {
        locations[position] = { partition, offset: bases[at] as number + index }
      }))
      return locations
    } finally {
      this.#pendingBytes -= bytes
    }
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
      const batch = database.getBinary(batchKey(topic, partition, base))
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

  #toBatches (topic: TopicMeta, records: readonly AppendRecord[]): PartitionBatch[] {
    const positions = new Map<number, number[]>()
    records.forEach((record, position) => {
      if (encodedBytes(record) > this.#options.recordBytesMax) {
        throw new RecordTooLargeError(`A record of ${encodedBytes(record)} bytes exceeds the limit of ` +
          `${this.#options.recordBytesMax}`)
      }
      const partition = partitionOf(record.key, topic.partitions)
      const list = positions.get(partition)
      if (list === undefined) positions.set(partition, [position])
      else list.push(position)
    })
    return [...positions].map(([partition, list]) => ({
      partition,
      positions: list,
      batch: encodeBatch(list.map((position) => records[position] as AppendRecord))
    }))
  }

  /** Runs inside a write transaction; returns the base offset of each batch. */
  #store (topic: TopicMeta, batches: readonly PartitionBatch[], bytes: number): number[] {
    const total = this.#bytes() + bytes
    if (total > this.#options.bytesMax) {
      const cause = new LogFullError(`${total} bytes would exceed the limit of ${this.#options.bytesMax}`)
      throw new LogUnavailableError('The embedded log is full', { cause })
    }
    const { database } = this.#environment
    database.putSync(BYTES, float(total))
    return batches.map(({ partition, positions, batch }) => {
      const base = this.#end(topic, partition)
      database.putSync(batchKey(topic, partition, base), batch)
      database.putSync(headKey(topic, partition), unsigned(base + positions.length))
      return base
    })
  }

  #expirePartition (topic: TopicMeta, partition: number, beforeMs: number, most: number): number {
    const { database } = this.#environment
    for (let deleted = 0; deleted < most; deleted++) {
      const base = this.#baseAtOrAfter(topic, partition, 0)
      if (base === undefined) return deleted
      const key = batchKey(topic, partition, base)
      const batch = database.getBinary(key) as Buffer
      if (newestTimestamp(batch) >= beforeMs) return deleted
      database.removeSync(key)
      database.putSync(BYTES, float(this.#bytes() - batch.length))
    }
    return most
  }

  #bytes (): number {
    return this.#environment.database.get(BYTES)?.readDoubleBE(0) ?? 0
  }

  #end (topic: TopicMeta, partition: number): number {
    const head = this.#environment.database.get(headKey(topic, partition))
    return head === undefined ? 0 : Number(head.readBigUInt64BE(0))
  }

  #baseAtOrAfter (topic: TopicMeta, partition: number, offset: number): number | undefined {
    const start = batchKey(topic, partition, offset)
    return baseOf(this.#environment.database.getKeys({ start, limit: 1 }), start)
  }

  #baseAtOrBefore (topic: TopicMeta, partition: number, offset: number): number | undefined {
    const start = batchKey(topic, partition, offset)
    return baseOf(this.#environment.database.getKeys({ start, limit: 1, reverse: true }), start)
  }
}

interface PartitionBatch {
  partition: number
  /** Where in the call the records of the batch stand. */
  positions: number[]
  batch: Buffer
}

const PREFIX_BYTES = 9

/** The base offset of the first key, if it is a batch of the same partition as `sought`. */
function baseOf (keys: Iterable<Buffer>, sought: Buffer): number | undefined {
  const [key] = keys
  const same = key?.length === sought.length && key.compare(sought, 0, PREFIX_BYTES, 0, PREFIX_BYTES) === 0
  return same ? Number(key.readBigUInt64BE(PREFIX_BYTES)) : undefined
}

function topicKey (name: string): Buffer {
  return Buffer.concat([TOPIC, Buffer.from(name)])
}

function headKey ({ id }: TopicMeta, partition: number): Buffer {
  return partitionKey('h', id, partition, PREFIX_BYTES)
}

function batchKey ({ id }: TopicMeta, partition: number, base: number): Buffer {
  const key = partitionKey('b', id, partition, PREFIX_BYTES + 8)
  key.writeBigUInt64BE(BigInt(base), PREFIX_BYTES)
  return key
}

function partitionKey (kind: 'h' | 'b', topicId: number, partition: number, bytes: number): Buffer {
  const key = Buffer.alloc(bytes)
  key.write(kind, 'latin1')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  return key
}

function unsigned (value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function float (value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}

/** The smallest key after all keys that begin with `prefix`, none of which goes on with 0xff. */
function after (prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0xff])])
}
