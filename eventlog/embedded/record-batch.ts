/**
 * How the records lie that one append gives one partition. Big-endian:
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

/** Bytes of the batch of these records. */
export function batchBytes (records: readonly AppendRecord[]): number {
  let bytes = HEADER_BYTES
  for (const record of records) bytes += encodedBytes(record)
  return bytes
}

/** Writes the batch of these records at `start`; where it ends. `target` must have room. */
export function encodeBatch (records: readonly AppendRecord[], target: Buffer, start: number): number {
  let newest = -Infinity
  let at = start + HEADER_BYTES
  for (const { key, value, timestampMs } of records) {
    newest = Math.max(newest, timestampMs)
    target.writeUInt32BE(key.length, at)
    target.writeUInt32BE(value.length, at + 4)
    target.writeDoubleBE(timestampMs, at + 8)
    at += RECORD_HEADER_BYTES
    at += key.copy(target, at)
    at += value.copy(target, at)
  }
  target.writeUInt8(FORMAT, start)
  target.writeUInt32BE(records.length, start + 1)
  target.writeDoubleBE(newest, start + 5)
  return at
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
