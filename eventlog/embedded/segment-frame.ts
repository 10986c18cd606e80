/**
 * How an append lies in a segment: one frame with a batch for each of its partitions. Big-endian:
 *
 *     u32 bytes of the frame, u32 checksum, u16 batches, then for each batch
 *     u16 partition, u32 records, u32 bytes, f64 base offset; then the batches (record-batch.ts)
 *
 * The checksum is the CRC-32 of all that follows it, begun with the checksum of the frame before. So a frame
 * is one only where its predecessor stands: what is left over from a write that was given up, behind a later
 * and shorter one, is none. A segment goes on with zeros, which are no frame either.
 */
import { crc32 } from 'node:zlib'

/** What a frame says of one partition. */
export interface FrameBatch {
  partition: number
  records: number
  bytes: number
  base: number
}

export interface Frame {
  bytes: number
  checksum: number
  batches: FrameBatch[]
}

const FRAME_HEADER_BYTES = 10
const BATCH_HEADER_BYTES = 18
const CHECKSUM_AT = 4
const CHECKED_FROM = 8

/** Bytes of the frame of these many batches of `bodyBytes` in all. */
export function frameBytes (batches: number, bodyBytes: number): number {
  return FRAME_HEADER_BYTES + batches * BATCH_HEADER_BYTES + bodyBytes
}

/** What comes before the batches of a frame, which follow in `body` without gaps. */
export function frameHeader (
  batches: readonly FrameBatch[], body: Uint8Array, previousChecksum: number
): { header: Buffer, checksum: number } {
  const header = Buffer.allocUnsafe(frameBytes(batches.length, 0))
  header.writeUInt32BE(header.length + body.length)
  header.writeUInt16BE(batches.length, CHECKED_FROM)
  let at = FRAME_HEADER_BYTES
  for (const { partition, records, bytes, base } of batches) {
    header.writeUInt16BE(partition, at)
    header.writeUInt32BE(records, at + 2)
    header.writeUInt32BE(bytes, at + 6)
    header.writeDoubleBE(base, at + 10)
    at += BATCH_HEADER_BYTES
  }
  const checksum = crc32(body, crc32(header.subarray(CHECKED_FROM), previousChecksum))
  header.writeUInt32BE(checksum, CHECKSUM_AT)
  return { header, checksum }
}

/** The frame at `at`; undefined where there is none, or not all of it. */
export function readFrame (source: Buffer, at: number, previousChecksum: number): Frame | undefined {
  if (at + FRAME_HEADER_BYTES > source.length) return undefined
  const bytes = source.readUInt32BE(at)
  if (bytes < FRAME_HEADER_BYTES || at + bytes > source.length) return undefined
  const checksum = crc32(source.subarray(at + CHECKED_FROM, at + bytes), previousChecksum)
  if (checksum !== source.readUInt32BE(at + CHECKSUM_AT)) return undefined
  const count = source.readUInt16BE(at + CHECKED_FROM)
  const batches = Array.from({ length: count }, (_, index) => {
    const entryAt = at + FRAME_HEADER_BYTES + index * BATCH_HEADER_BYTES
    return {
      partition: source.readUInt16BE(entryAt),
      records: source.readUInt32BE(entryAt + 2),
      bytes: source.readUInt32BE(entryAt + 6),
      base: source.readDoubleBE(entryAt + 10)
    }
  })
  return { bytes, checksum, batches }
}
