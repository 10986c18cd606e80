import type { Row } from '../contract/index.ts'

/** One SELECT: its text is fixed by code, every value travels in `params`. */
export interface Query {
  /** Label of the query's metrics. */
  name: string
  /** With placeholders `{name:Type}`, and without FORMAT. */
  sql: string
  params: Readonly<Record<string, unknown>>
  /** ClickHouse settings of this query. */
  settings?: Readonly<Record<string, number>>
}

/** How the query API reads the database: as a user that can only read. */
export interface QueryClient {
  /**
   * The rows, with times as ISO 8601 text. Rejects with MillraceError: `storage_unavailable` where the
   * database is unreachable, busy, or out of time (callers answer it, the client may come again);
   * `internal` for everything else.
   */
  query: (query: Query, signal: AbortSignal) => Promise<Row[]>
}
