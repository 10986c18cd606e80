/** Faults of an erasure's steps: it stays open, and is tried again. */

/** An erasure names a stream that this release does not know: a newer one may have taken it. */
export class UnknownStreamError extends Error {
  readonly code = 'erasure_unknown_stream'
  readonly retryable = true
  override readonly name = 'UnknownStreamError'
}

/** Rows of an erased subject are still in a table after a step that was to take them away. */
export class RowsLeftError extends Error {
  readonly code = 'erasure_rows_left'
  readonly retryable = true
  override readonly name = 'RowsLeftError'
}
