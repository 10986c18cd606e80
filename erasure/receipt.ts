import { formatTime } from '../contract/index.ts'
import type { ErasedTable } from './erasure-store.ts'
import type { ErasureState, Tombstone } from './tombstone.ts'

/** What a client is told of one erasure. Times are RFC 3339, UTC. */
export interface Receipt {
  id: string
  /** hidden: no read shows it; masked: no table gives it; removed: no table holds it. */
  state: 'hidden' | 'masked' | 'removed'
  streams: readonly string[]
  /** What arrived until then is erased. */
  cutoff: string
  tables: TableReceipt[]
  /** When the last table was rid of it; null until then. */
  removed_at: string | null
  /** Until then the log may still hold the bytes; a replay leaves them out. */
  log_holds_until: string
}

export interface TableReceipt {
  table: string
  /** A row that several erasures mean counts for the earliest of them. */
  rows_masked: number
  /** Rows of the subject that were counted after masking. */
  rows_left: number
  masked_at: string
  removed_at: string | null
}

const STATE_NAMES: Record<ErasureState, Receipt['state']> = {
  waiting: 'hidden', collecting: 'hidden', masked: 'masked', removed: 'removed'
}

export function toReceipt (
  { id, state, streams, cutoffMs }: Tombstone, tables: readonly ErasedTable[], logRetentionMs: number
): Receipt {
  const removals = tables.map(({ removedAtMs }) => removedAtMs ?? 0)
  return {
    id,
    state: STATE_NAMES[state],
    streams,
    cutoff: formatTime(cutoffMs),
    tables: tables.map(({ table, rowsMasked, rowsLeft, maskedAtMs, removedAtMs }) => ({
      table,
      rows_masked: rowsMasked,
      rows_left: rowsLeft,
      masked_at: formatTime(maskedAtMs),
      removed_at: removedAtMs === undefined ? null : formatTime(removedAtMs)
    })),
    removed_at: state === 'removed' ? formatTime(Math.max(...removals)) : null,
    log_holds_until: formatTime(cutoffMs + logRetentionMs)
  }
}
