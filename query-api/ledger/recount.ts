import { recountQuery, toRecountFaults } from './recount-queries.ts'
import {
  differingDays, rawHoursQuery, rollupBucketsQuery, rollupHoursQuery, rollupsOf, toRollupFaults
} from './rollup-queries.ts'
import { DAY_MS } from '../parse-window.ts'
import type { Stream } from '../../contract/index.ts'
import type { QueryClient } from '../query-client.ts'
import type { RetentionDays } from '../questions/catalogue.ts'
import type { TimeRange } from '../parse-time-range.ts'
import type { LedgerFault } from './balance.ts'
import type { CountedTable, RecountRange } from './recount-queries.ts'
import type { DifferingDay, Rollup } from './rollup-queries.ts'

const MINUTE_MS = 60_000
/** A difference that is still there when it is looked at again is none of a batch that was being inserted. */
const ROLLUP_LOOKS = 2

export interface RecountOptions {
  client: QueryClient
  signal: AbortSignal
  retentionDays: RetentionDays
  nowMs: number
}

/** What was counted again: a table, and from when on; what is older may have expired. */
export interface Recounted {
  table: string
  stream: string
  from: string
}

export interface Recount {
  tables: Recounted[]
  faults: LedgerFault[]
}

/** Counts again, table after table, what a stream's tables hold of a time range. */
export async function recountStream (
  stream: Stream, range: RecountRange, options: RecountOptions
): Promise<Recount> {
  const recount: Recount = { tables: [], faults: [] }
  for (const table of countedTables(stream, options.retentionDays)) {
    const kept = keptPart(range.timeRange, table.retentionDays, options.nowMs)
    if (kept === undefined) continue
    const query = recountQuery(table, { ...range, timeRange: kept })
    recount.faults.push(...toRecountFaults(table, await options.client.query(query, options.signal)))
    recount.tables.push({ table: table.name, stream: stream.name, from: new Date(kept.fromMs).toISOString() })
  }
  for (const rollup of rollupsOf(stream)) {
    const { tables, faults } = await recountRollup(stream, rollup, range, options)
    recount.faults.push(...faults)
    const listed = recount.tables.map(({ table }) => table)
    recount.tables.push(...tables.filter(({ table }) => !listed.includes(table)))
  }
  return recount
}

/** The stream's tables that know positions in the log. */
function countedTables (stream: Stream, retentionDays: RetentionDays): CountedTable[] {
  const { raw, bySubject } = stream.tables
  const rawDays = stream.rawRetention === 'rollup' ? retentionDays.rollup : retentionDays.raw
  return [
    { name: raw, stream: stream.name, booked: 'stored', retentionDays: rawDays },
    ...(bySubject === undefined
      ? []
      : [{ name: bySubject, stream: stream.name, booked: 'stored' as const, retentionDays: retentionDays.bySubject }]),
    { name: 'dead_letters', stream: stream.name, booked: 'dead_lettered', retentionDays: retentionDays.raw }
  ]
}

/** A rollup against the raw table, in whole days, as far as that one reaches back. */
async function recountRollup (
  stream: Stream, rollup: Rollup, { positions, timeRange }: RecountRange, options: RecountOptions
): Promise<Recount> {
  const { client, signal, retentionDays, nowMs } = options
  const [raw] = countedTables(stream, retentionDays) as [CountedTable]
  // A day that has begun to expire would not be whole.
  const kept = keptPart(wholeDays(timeRange), raw.retentionDays - 1, nowMs)
  if (kept === undefined) return { tables: [], faults: [] }
  const range = { positions, timeRange: wholeDays(kept) }
  let days = await differingRollupDays(stream, rollup, range, options)
  for (let look = 1; look < ROLLUP_LOOKS && days.length > 0; look++) {
    days = await differingRollupDays(stream, rollup, range, options)
  }
  const faults: LedgerFault[] = []
  for (const day of days) {
    const rows = await client.query(rollupBucketsQuery(stream, rollup, day), signal)
    faults.push(...toRollupFaults(stream.name, rollup, rows))
  }
  const from = new Date(range.timeRange.fromMs).toISOString()
  return { tables: [{ table: rollup.name, stream: stream.name, from }], faults }
}

/** The rollup is asked first: what it holds then is in the raw table when that is asked. */
async function differingRollupDays (
  stream: Stream, rollup: Rollup, range: RecountRange, { client, signal }: RecountOptions
): Promise<DifferingDay[]> {
  const found = await client.query(rollupHoursQuery(stream, rollup, range.timeRange), signal)
  return differingDays(found, await client.query(rawHoursQuery(stream, rollup, range), signal))
}

/** The part of a range that a table still holds, in whole minutes. */
function keptPart (
  { fromMs, toMs }: TimeRange, retentionDays: number, nowMs: number
): TimeRange | undefined {
  const keptFromMs = Math.ceil((nowMs - retentionDays * DAY_MS) / MINUTE_MS) * MINUTE_MS
  const kept = { fromMs: Math.max(fromMs, keptFromMs), toMs }
  return kept.fromMs < kept.toMs ? kept : undefined
}

function wholeDays ({ fromMs, toMs }: TimeRange): TimeRange {
  return { fromMs: Math.floor(fromMs / DAY_MS) * DAY_MS, toMs: Math.ceil(toMs / DAY_MS) * DAY_MS }
}
