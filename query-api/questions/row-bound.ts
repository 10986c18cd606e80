import type { QuestionClient } from './question-client.ts'

/** How long a table's number of rows is believed. */
const AGE_MS_MAX = 10_000
/** More rows than any table gains meanwhile. */
const GROWTH_ROWS_MAX = 10_000_000

export interface RowBoundOptions {
  client: Pick<QuestionClient, 'tableRows'>
  /** A clock that never goes back. */
  monotonicMs?: () => number
}

/**
 * Knows about how large the tables are, so that the estimate of a question, which costs as much as many an
 * answer, is made only where it can matter: no scan reads more rows than its table has.
 */
export class RowBound {
  readonly #options: Required<RowBoundOptions>
  readonly #known = new Map<string, { rows: number, atMs: number }>()

  constructor (options: RowBoundOptions) {
    this.#options = { monotonicMs: () => performance.now(), ...options }
  }

  /** True where a scan of the table cannot read more than `rowsMax` rows. Rejects as the client does. */
  async holds (table: string, rowsMax: number, signal: AbortSignal): Promise<boolean> {
    if (rowsMax < GROWTH_ROWS_MAX) return false
    const atMs = this.#options.monotonicMs()
    let known = this.#known.get(table)
    if (known === undefined || atMs - known.atMs > AGE_MS_MAX) {
      known = { rows: await this.#options.client.tableRows(table, signal), atMs }
      this.#known.set(table, known)
    }
    return known.rows + GROWTH_ROWS_MAX <= rowsMax
  }
}
