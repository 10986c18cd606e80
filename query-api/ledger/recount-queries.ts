/**
 * Counting again what the tables hold, against what the batches say. A table that knows positions in the log
 * is held to each batch; a rollup, which knows none, is held to the raw table (rollup-queries.ts).
 *
 * Rows beyond the committed offset are in flight: no table has to hold them, and any may.
 */
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'
import type { TimeRange } from '../parse-time-range.ts'
import type { LedgerFault } from './balance.ts'
import type { LogPosition } from './log-positions.ts'

/** Faults of one table in one answer. */
export const FAULTS_MAX = 20

/** A table that knows positions, and the column of `batches` that says how many rows it has of each. */
export interface CountedTable {
  name: string
  stream: string
  /** Which of a batch's records the table holds. */
  booked: 'stored' | 'dead_lettered'
  /** Days after arrival that a row is kept. */
  retentionDays: number
}

export interface RecountRange {
  /** Of one stream. */
  positions: readonly LogPosition[]
  /** Of arrival, in whole minutes. */
  timeRange: TimeRange
}

/**
 * Positions and arrivals of the rows that a table holds, or held until an erasure masked them. The one place
 * that says where a table's rows are found again.
 */
function positionsOf (table: CountedTable): string {
  const { partition, offset, ofStream } = columnsOf(table)
  return `
SELECT ${partition} AS partition, ${offset} AS offset, received_at FROM ${table.name} WHERE ${ofStream}
UNION ALL
SELECT partition, offset, received_at ${erasedRows(table)}`
}

/** From where and which: the positions of rows that an erasure took out of a table. */
export function erasedRows (table: Pick<CountedTable, 'name' | 'booked'>): string {
  const { partition, offset, ofStream } = columnsOf(table)
  const erased = `FROM erased_positions FINAL
WHERE table = '${table.name}' AND ${ofStream}`
  // A position is written down before the row is masked: what is still there is not counted twice.
  return `${erased} AND (partition, offset, received_at) NOT IN (
  SELECT ${partition}, ${offset}, received_at FROM ${table.name}
  WHERE (${partition}, ${offset}, received_at) IN (SELECT partition, offset, received_at ${erased})
)`
}

function columnsOf ({ booked }: Pick<CountedTable, 'booked'>) {
  return booked === 'stored'
    ? { partition: '_partition', offset: '_offset', ofStream: '1' }
    : { partition: 'partition', offset: 'offset', ofStream: 'stream = {stream:String}' }
}

/**
 * The batches in range of which a table holds more or fewer rows than they say, and runs of rows that are in
 * no batch. A row belongs to the last batch that begins at or before its offset; those of a batch in range
 * may have arrived after the range, so the rows are read up to the last arrival. Where there are as many rows
 * as there should be, each offset counts once: one that is there twice does not stand in for one that is not.
 */
export function recountQuery (table: CountedTable, { positions, timeRange }: RecountRange): Query {
  return {
    name: 'ledger_recount',
    sql: `
WITH
  ${placedRows(table)}
SELECT
  partition,
  min(run_first) AS first_n,
  max(run_last) AS last_n,
  min(run_minute_s) AS minute_s,
  sum(expected) AS expected_n,
  if(sum(found) = expected_n, sum(offsets), sum(found)) AS found_n
FROM (
  SELECT
    partition, true AS booked_run, first_offset AS run, first_offset AS run_first, last_offset AS run_last,
    toUnixTimestamp(minute) AS run_minute_s, booked AS expected, toUInt64(0) AS found, toUInt64(0) AS offsets
  FROM near
  WHERE in_range
  UNION ALL
  SELECT
    partition, true AS booked_run, first_offset AS run, any(first_offset) AS run_first,
    any(last_offset) AS run_last,
    any(toUnixTimestamp(minute)) AS run_minute_s, toUInt64(0) AS expected, count() AS found,
    groupBitmap(toUInt32(offset - first_offset)) AS offsets
  FROM placed
  WHERE inside AND in_range
  GROUP BY partition, first_offset
  UNION ALL
  SELECT
    partition, false AS booked_run, last_offset AS run, min(offset) AS run_first, max(offset) AS run_last,
    min(toUnixTimestamp(toStartOfMinute(received_at))) AS run_minute_s, toUInt64(0) AS expected, count() AS found,
    toUInt64(0) AS offsets
  FROM placed
  WHERE NOT inside AND received_at < toDateTime({to_s:UInt32}, 'UTC')
  GROUP BY partition, last_offset
)
GROUP BY partition, booked_run, run
HAVING expected_n != found_n
ORDER BY minute_s, partition, first_n
LIMIT {limit:UInt32}`.trimStart(),
    params: {
      stream: table.stream, ...partitionParams(positions), ...secondsOf(timeRange), limit: FAULTS_MAX
    }
  }
}

/** Batches near the range, the rows that a table holds of them, and which of the two belong together. */
function placedRows (table: CountedTable): string {
  return `
  near AS (
    SELECT
      partition, first_offset, last_offset, ${table.booked} AS booked, last_received_at,
      toStartOfMinute(first_received_at) AS minute,
      minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC') AS in_range,
      true AS known
    FROM batches
    WHERE stream = {stream:String}
      AND first_offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))
      AND last_received_at >= toDateTime({from_s:UInt32}, 'UTC')
      AND first_received_at < toDateTime({to_s:UInt32}, 'UTC')
  ),
  held AS (
    SELECT partition, offset, received_at
    FROM (${positionsOf(table)})
    WHERE received_at >= toDateTime({from_s:UInt32}, 'UTC')
      AND received_at <= (
        SELECT greatest(max(last_received_at), toDateTime64({to_s:UInt32}, 3, 'UTC')) FROM near WHERE in_range
      )
      AND offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))
  ),
  placed AS (
    SELECT
      held.partition AS partition,
      held.offset AS offset,
      held.received_at AS received_at,
      near.known AND held.offset <= near.last_offset AS inside,
      near.in_range AS in_range,
      near.first_offset AS first_offset,
      near.last_offset AS last_offset,
      near.minute AS minute
    FROM held ASOF LEFT JOIN near ON held.partition = near.partition AND held.offset >= near.first_offset
  )`.trim()
}

export function toRecountFaults (table: CountedTable, rows: readonly Row[]): LedgerFault[] {
  return rows.map((row) => ({
    kind: 'recount',
    table: table.name,
    stream: table.stream,
    partition: Number(row['partition']),
    minute_s: Number(row['minute_s']),
    first_offset: Number(row['first_n']),
    last_offset: Number(row['last_n']),
    expected: Number(row['expected_n']),
    found: Number(row['found_n'])
  }))
}

export function partitionParams (positions: readonly LogPosition[]) {
  return {
    partitions: positions.map(({ partition }) => partition),
    committed: positions.map(({ committed }) => committed)
  }
}

export function secondsOf ({ fromMs, toMs }: TimeRange) {
  return { from_s: fromMs / 1000, to_s: toMs / 1000 }
}
