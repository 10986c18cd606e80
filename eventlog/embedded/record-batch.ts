/**
 * How records lie in LMDB: what one append gives one partition is one entry, since an entry costs a page and
 * a B-tree insert and a record should not. Big-endian:
 *
 *     u8 format (1), u32 records, f64 newest timestamp, then for each record
 *     u32 key bytes, u32 value bytes, f64 timestamp, key, value
 */
import type { AppendRecord, LogRecord } from '../event-log.ts'

const FORMAT = 1
const HEADER_BYTES = 13
const RECORD_HEADER_BYTES = 16

/** What a record costs beside its key and value. */
export function encodedBytes ({ key, value }: AppendRecord): number {
  return RECORD_HEADER_BYTES + key.length + value.length
}

export function encodeBatch (records: readonly AppendRecord[]): Buffer {
  const bytes = records.reduce((sum, record) => sum + encodedBytes(record), HEADER_BYTES)
  const batch = Buffer.allocUnsafeSlow(bytes)
  batch.writeUInt8(FORMAT, 0)
  batch.writeUInt32BE(records.length, 1)
  const newest = records.reduce((latest, { timestampMs }) => Math.max(latest, timestampMs), -Infinity)
  batch.writeDoubleBE(newest, 5)
  let at = HEADER_BYTES
  for (const { key, value, timestampMs } of records) {
    batch.writeUInt32BE(key.length, at)
    batch.writeUInt32BE(value.length, at + 4)
    batch.writeDoubleBE(timestampMs, at + 8)
    at += RECORD_HEADER_BYTES
    at += key.copy(batch, at)
    at += value.copy(batch, at)
  }
  return batch
}

/** The records of a batch from `offset` on. Keys and values are views of `batch`. */
export function * decodeBatch (batch: Buffer, baseOffset: number, offset: number): Generator<LogRecord> {
  if (batch.readUInt8(0) !== FORMAT) throw new Error(`Unknown record batch format ${batch.readUInt8(0)}`)
  const end = baseOffset + batch.readUInt32BE(1)
  let at = HEADER_BYTES
  for (let next = baseOffset; next < end; next++) {
    const keyAt = at + RECORD_HEADER_BYTES
    const valueAt = keyAt + batch.readUInt32BE(at)
    const recordEnd = valueAt + batch.readUInt32BE(at + 4)
    if (next >= offset) {
      yield {
        offset: next,
        key: batch.subarray(keyAt, valueAt),
        value: batch.subarray(valueAt, recordEnd),
        timestampMs: batch.readDoubleBE(at + 8)
      }
    }
    at = recordEnd
  }
}

/** Arrival of the youngest record of the batch, epoch milliseconds. */
export function newestTimestamp (batch: Buffer): number {
  return batch.readDoubleBE(5)
}
