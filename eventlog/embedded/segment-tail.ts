/** How far one thread knows a segment: its frames up to some point, and what follows from them. */
import { newestTimestamp } from './record-batch.ts'
import { frameBytes, readFrame } from './segment-frame.ts'
import type { FrameBatch } from './segment-frame.ts'
import type { SegmentFile } from './segment-file.ts'

/** Called for each batch, with the place of its bytes in the segment. */
export type OnBatch = (batch: FrameBatch, at: number) => void

export class SegmentTail {
  readonly segment: number
  /** Offset that the next record of each partition gets. */
  readonly ends: number[]
  /** Where the last known frame ends. */
  at = 0
  /** Of the last known frame. */
  checksum: number
  /** Arrival of the youngest known record, epoch milliseconds; 0 where there is none. */
  newestMs = 0
  /** Arrival of the youngest record of the oldest known batch; Infinity where there is none. */
  oldestMs = Infinity
  readonly #onBatch: OnBatch

  constructor (segment: number, begins: readonly number[], onBatch: OnBatch = () => {}) {
    this.segment = segment
    this.ends = [...begins]
    // A frame of one segment is none in another.
    this.checksum = segment
    this.#onBatch = onBatch
  }

  /** Reads on to `end`, where a frame ends. Throws where what lies between is damaged. */
  follow (file: SegmentFile, end: number): void {
    this.#read(file, end)
    if (this.at !== end) throw new Error(`Segment ${this.segment} is damaged at byte ${this.at}`)
  }

  /** Reads on as long as there are whole frames. */
  followAll (file: SegmentFile): void {
    this.#read(file, file.size())
  }

  #read (file: SegmentFile, end: number): void {
    if (this.at >= end) return
    const start = this.at
    const source = file.read(start, end)
    for (;;) {
      const frame = readFrame(source, this.at - start, this.checksum)
      if (frame === undefined) return
      let batchAt = this.at + frameBytes(frame.batches.length, 0)
      for (const batch of frame.batches) {
        const { partition, base, records, bytes } = batch
        this.ends[partition] = base + records
        const arrivalMs = newestTimestamp(source.subarray(batchAt - start))
        this.newestMs = Math.max(this.newestMs, arrivalMs)
        this.oldestMs = Math.min(this.oldestMs, arrivalMs)
        this.#onBatch(batch, batchAt)
        batchAt += bytes
      }
      this.at += frame.bytes
      this.checksum = frame.checksum
    }
  }
}
