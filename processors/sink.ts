import type { Row } from '../contract/index.ts'

/** Where batches land: ClickHouse, or a double in tests. */
export interface Sink {
  /**
   * Stores rows in a table and in everything that is derived from it, once for each token however often it is
   * called. Throws RefusedRowsError where a row can never be stored (nothing was stored: split the batch),
   * and anything else where trying again with the same token may help (some of it may be stored).
   */
  insert: (request: InsertRequest) => Promise<void>
}

export interface InsertRequest {
  table: string
  rows: readonly Row[]
  token: string
  signal: AbortSignal
}

/** Storage refuses at least one of the rows. */
export class RefusedRowsError extends Error {
  readonly code = 'refused_rows'
  readonly retryable = false
  override readonly name = 'RefusedRowsError'
}
