/**
 * Keys of the environment of records, big-endian so that they sort by number, and its two kinds of number:
 *
 *     'topic' name                           -> TopicMeta as JSON
 *     'h' u32 topic, u32 partition           -> u64 end offset
 *     'b' u32 topic, u32 partition, u64 base -> record batch
 *     'bytes'                                -> f64 sum of all batches
 */
import type { Database } from 'lmdb'

export type RecordDatabase = Database<Buffer, Buffer>

export const TOPIC = Buffer.from('topic')
export const BYTES = Buffer.from('bytes')

const PREFIX_BYTES = 9

export function topicKey (name: string): Buffer {
  return Buffer.concat([TOPIC, Buffer.from(name)])
}

export function batchKey (topicId: number, partition: number, base: number): Buffer {
  const key = partitionKey('b', topicId, partition, PREFIX_BYTES + 8)
  key.writeBigUInt64BE(BigInt(base), PREFIX_BYTES)
  return key
}

/** The base offset of the first key, if it is a batch of the same partition as `sought`. */
export function baseOf (keys: Iterable<Buffer>, sought: Buffer): number | undefined {
  const [key] = keys
  const same = key?.length === sought.length && key.compare(sought, 0, PREFIX_BYTES, 0, PREFIX_BYTES) === 0
  return same ? Number(key.readBigUInt64BE(PREFIX_BYTES)) : undefined
}

/** Sum of the bytes of all batches. */
export function storedBytes (database: RecordDatabase): number {
  return database.get(BYTES)?.readDoubleBE(0) ?? 0
}

export function putStoredBytes (database: RecordDatabase, bytes: number): void {
  const value = Buffer.alloc(8)
  value.writeDoubleBE(bytes)
  database.putSync(BYTES, value)
}

/** Offset that the next record of the partition gets. */
export function endOffset (database: RecordDatabase, topicId: number, partition: number): number {
  const head = database.get(headKey(topicId, partition))
  return head === undefined ? 0 : Number(head.readBigUInt64BE(0))
}

export function putEndOffset (
  database: RecordDatabase, topicId: number, partition: number, offset: number
): void {
  const value = Buffer.alloc(8)
  value.writeBigUInt64BE(BigInt(offset))
  database.putSync(headKey(topicId, partition), value)
}

/** The smallest key after all keys that begin with `prefix`, none of which goes on with 0xff. */
export function after (prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0xff])])
}

function headKey (topicId: number, partition: number): Buffer {
  return partitionKey('h', topicId, partition, PREFIX_BYTES)
}

function partitionKey (kind: 'h' | 'b', topicId: number, partition: number, bytes: number): Buffer {
  const key = Buffer.alloc(bytes)
  key.write(kind, 'latin1')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  return key
}
