/**
 * The durable log behind one interface. `embedded/` (files, one machine) and `kafka/` (Redpanda, Kafka)
 * implement it, and one conformance suite holds both to it.
 *
 * A topic is a fixed number of partitions; a partition is a sequence of records with rising offsets (gaps are
 * allowed, order is not broken). Offsets are numbers: 2^53 records a partition.
 */
export interface EventLog {
  /** Creates the topics that do not exist yet; those that exist are left as they are. */
  createTopics: (topics: readonly TopicSpec[]) => Promise<void>

  /**
   * Appends records; each goes to the partition of its key. Resolves only when all of them are durable: on
   * every in-sync replica, or on the local disk after fsync. Records of one call and one partition keep their
   * order. Throws LogUnavailableError (retryable; the records may or may not have been stored) or
   * RecordTooLargeError (nothing was stored).
   */
  append: (topic: string, records: readonly AppendRecord[]) => Promise<RecordLocation[]>

  /**
   * Resolves when an append of some size to the topic would be taken now, and opens whatever an append needs,
   * so that the first one is as quick as the next. Throws LogUnavailableError. For those who append: before
   * they listen, and as their readiness.
   */
  checkAppend: (topic: string) => Promise<void>

  /** First and end offset of every partition; `end` is the offset that the next record will get. */
  offsets: (topic: string) => Promise<PartitionOffsets[]>

  /** What the group last committed, for every partition that it committed in. */
  committedOffsets: (group: string, topic: string) => Promise<PartitionCommit[]>

  /**
   * Joins a consumer group. For each partition that this member is given, `onPartition` is called with a
   * session and owns the partition until its promise settles; sessions of different partitions run side by
   * side. When the partition is taken away, `session.signal` aborts, and the same partition is not handed out
   * again in this process before `onPartition` has settled. A rejection of `onPartition` gives the partition
   * back and is reported by `onError`; the member then asks for it again.
   */
  consume: (options: ConsumeOptions) => Promise<Consumer>

  /** What the log holds, where it has a bound of its own: a broker's disks are the broker's matter. */
  size?: () => LogSize

  /** Resolves when the log answers; throws LogUnavailableError when it does not. For readiness. */
  ping: () => Promise<void>

  close: () => Promise<void>
}

/** Bytes of all records with their headers, and their bound: at it appends are refused. */
export interface LogSize {
  bytes: number
  bytesMax: number
}

export interface TopicSpec {
  name: string
  partitions: number
  /** Kafka only: copies of each partition; undefined takes the broker's default. */
  replicationFactor?: number | undefined
  /** Records older than this may be deleted; undefined keeps the log's default. */
  retentionMs?: number
}

export interface AppendRecord {
  key: Buffer
  value: Buffer
  /** Epoch milliseconds of arrival. */
  timestampMs: number
  /** Where it goes, if not by its key; one that the topic does not have is left to the key. */
  partition?: number
}

export interface RecordLocation {
  partition: number
  offset: number
}

export interface LogRecord {
  offset: number
  key: Buffer
  /** Empty where the record has none. */
  value: Buffer
  timestampMs: number
}

export interface PartitionOffsets {
  partition: number
  begin: number
  end: number
}

export interface PartitionCommit {
  partition: number
  /** Offset of the next record to process. */
  offset: number
  metadata: string
}

export interface ConsumeOptions {
  group: string
  topics: readonly string[]
  onPartition: (session: PartitionSession) => Promise<void>
  onError: (error: unknown) => void
}

export interface Consumer {
  /** Topic and partition of every session that is running now. */
  assignments: () => Array<{ topic: string, partition: number }>
  /** Aborts all sessions, waits until they have settled, leaves the group. */
  stop: () => Promise<void>
}

/** One partition in the hands of one group member, from assignment until it is taken away. */
export interface PartitionSession {
  readonly topic: string
  readonly partition: number
  /**
   * What the group had committed when the session began: read after every earlier owner was fenced.
   * `offset` is the begin offset of the partition where nothing was committed yet.
   */
  readonly committed: { offset: number, metadata: string }
  /** Aborts when the partition is lost or the consumer stops. */
  readonly signal: AbortSignal
  /**
   * Reads records from `offset` on, in order, without gaps other than those of the log itself. Waits up to
   * `maxWaitMs` for `minBytes` of values to be there, and returns what there is then, possibly nothing.
   * Returns at most `maxRecords` and about `maxBytes`, but at least one record if there is any. Where
   * `offset` has been deleted by retention, starts at the oldest record (whose offset tells). Reads may go
   * back and forth freely. Throws FencedError when the session is over, LogUnavailableError when the log does
   * not answer.
   */
  read: (options: ReadOptions) => Promise<LogRecord[]>
  /**
   * Commits the offset of the next record to process, with metadata, fenced: when another member has (or had
   * since) been given the partition, throws FencedError and changes nothing. Throws LogUnavailableError when
   * the outcome is unknown.
   */
  commit: (commit: { offset: number, metadata: string }) => Promise<void>
}

export interface ReadOptions {
  offset: number
  minBytes: number
  maxBytes: number
  maxRecords: number
  maxWaitMs: number
}

/** The log did not confirm: the outcome is unknown, the call may be repeated. */
export class LogUnavailableError extends Error {
  readonly code = 'log_unavailable'
  readonly retryable = true
  override readonly name = 'LogUnavailableError'
}

/** The log holds what it may: cause of a LogUnavailableError. Retention or a larger bound makes room. */
export class LogFullError extends Error {
  readonly code = 'log_full'
  readonly retryable = true
  override readonly name = 'LogFullError'
}

/** The session lost its partition: stop work on it at once. */
export class FencedError extends Error {
  readonly code = 'fenced'
  readonly retryable = false
  override readonly name = 'FencedError'
}

/** A record is larger than the log takes. */
export class RecordTooLargeError extends Error {
  readonly code = 'record_too_large'
  readonly retryable = false
  override readonly name = 'RecordTooLargeError'
}
