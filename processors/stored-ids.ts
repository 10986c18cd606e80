/** What tells two events from each other, within a stream: whose it is, and what it is called. */
export interface EventIdentity {
  tenant: string
  subject: string
  eventId: string
}

/** An event of a table that may come again, and when it was accepted. */
export interface StoredId extends EventIdentity {
  /** Epoch milliseconds. */
  receivedAtMs: number
}

/** Rows of one partition of the log, below an offset, that arrived in `[fromMs, toMs)`. */
export interface StoredRange {
  partition: number
  /** Rows at this offset and above do not count, whoever stored them. */
  below: number
  fromMs: number
  toMs: number
}

/**
 * The ids that a stream's table holds of events that may come again: those of clients, and those of a spool.
 * Both calls see every row that was stored before they began. They throw where the table does not answer; the
 * caller tries again, since going on without would store a duplicate.
 */
export interface StoredIds {
  /** The newest `limit` of them by arrival, newest first, in pieces. */
  newest: (range: StoredRange, limit: number, signal: AbortSignal) => AsyncIterable<readonly StoredId[]>
  /** Those of them that are wanted, each as often as it is stored; others may be among them. */
  find: (
    range: StoredRange, wanted: readonly EventIdentity[], signal: AbortSignal
  ) => Promise<readonly StoredId[]>
}
