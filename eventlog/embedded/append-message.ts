/** What the thread that appends is told, and what it answers: all of it can be cloned between threads. */
import type { RootDatabaseOptionsWithPath } from 'lmdb'

export type RecordDatabaseOptions = Pick<
  RootDatabaseOptionsWithPath & { path: string }, 'path' | 'mapSize' | 'encoding' | 'keyEncoding'
>

export interface AppendThreadData {
  database: RecordDatabaseOptions
  /** Bound on the sum of all batches. */
  bytesMax: number
}

/** Record batches for partitions of one topic, stored together or not at all. */
export interface Append {
  topicId: number
  batches: BatchSlice[]
  buffer: Uint8Array
}

export interface BatchSlice {
  partition: number
  records: number
  /** Where in the buffer the batch begins and ends. */
  start: number
  end: number
}

export interface AppendRequest extends Append {
  id: number
  /** CLOCK_MONOTONIC in milliseconds; a transaction that begins later stores nothing of the append. */
  deadlineMs: number
}

export type AppendAnswer = AppendStored | AppendRefused

/** Durable; one base offset for each batch. */
export interface AppendStored {
  id: number
  bases: number[]
}

export interface AppendRefused {
  id: number
  refusal: 'late' | 'full' | 'fault'
  /** What LMDB threw. */
  fault?: unknown
}

export const CLOSE = 'close'

/** One clock for all threads of the machine. */
export function monotonicMs (): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
