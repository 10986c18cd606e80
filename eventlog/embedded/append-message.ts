/** What the thread that appends is told, and what it answers: all of it can be cloned between threads. */
import type { RootDatabaseOptionsWithPath } from 'lmdb'

export type TopicDatabaseOptions = Pick<
  RootDatabaseOptionsWithPath & { path: string }, 'path' | 'mapSize' | 'encoding' | 'keyEncoding'
>

/** Where the records of a log are. */
export interface RecordPlace {
  database: TopicDatabaseOptions
  /** Of the segments and the heads. */
  directory: string
}

export interface AppendThreadData extends RecordPlace {
  /** Bound on the sum of all frames. */
  bytesMax: number
  /** A segment that would grow beyond it is sealed. */
  segmentBytes: number
}

/** Record batches for partitions of one topic, stored together or not at all. */
export interface Append {
  topicId: number
  batches: BatchSlice[]
  /** The batches, without gaps. */
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
  /** CLOCK_MONOTONIC in milliseconds; what gets the lock later stores nothing of the append. */
  deadlineMs: number
}

/** Deletes the segments that hold nothing young enough; nobody waits for it. */
export interface ExpireRequest {
  /** Epoch milliseconds that ages are counted to. */
  expireAtMs: number
}

export const CLOSE = 'close'

export type ThreadRequest = AppendRequest | ExpireRequest | typeof CLOSE

export type AppendAnswer = AppendStored | AppendRefused

/** Durable; one base offset for each batch. */
export interface AppendStored {
  id: number
  bases: number[]
}

export interface AppendRefused {
  id: number
  refusal: 'late' | 'full' | 'fault'
  /** What LMDB or the file system threw. */
  fault?: unknown
}

/** One clock for all threads of the machine. */
export function monotonicMs (): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
