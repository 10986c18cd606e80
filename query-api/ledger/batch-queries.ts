/**
 * What the table `batches` says, held to itself. Batches that begin at or beyond the committed offset are
 * left out: they are in flight. A batch counts in the minute in which its first record arrived.
 */
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'
import type { TimeRange } from '../parse-time-range.ts'
import type { BookedCounts, BookedReach, FaultKind, LedgerFault } from './balance.ts'
import type { LogPosition } from './log-positions.ts'

/**
 * Milliseconds beside the range in which a batch's neighbours in the log may have arrived: clocks of several
 * ingest processes differ by seconds at most.
 */
const NEIGHBOURS_MS = 3_600_000

/** Faults of batches in one answer. */
export const FAULTS_MAX = 100

export interface BatchRange {
  positions: readonly LogPosition[]
  /** Of arrival, in whole minutes. */
  timeRange: TimeRange
}

/** One row of the ledger's pages, in the order of minute, stream and partition. */
export interface BookedMinute extends BookedCounts {
  minute_s: number
  stream: string
  partition: number
  first_offset: number
  last_offset: number
}

/** The last row of a page: the next one begins after it. */
export type LedgerCursor = Pick<BookedMinute, 'minute_s' | 'stream' | 'partition'>

const BELOW_COMMITTED =
  'first_offset < transform(concat(stream, \'-\', toString(partition)), {keys:Array(String)}, ' +
  '{committed:Array(UInt64)}, toUInt64(0))'

/**
 * Every batch in range with its gap, its overlap and its miscount. The batches beside the range are looked at
 * as well, so that a neighbour that arrived in another minute is no gap; and what all those cover that
 * arrived before these, however long ago, so that a batch that a quiet stream lost is one. Those are summed
 * up: where a clock that was behind dated a batch far back, gaps below it show in a range that reaches it.
 */
const CHECKED_BATCHES = `
  SELECT
    *,
    if(first_offset > covered AND NOT begins, first_offset - covered, 0) AS gap,
    if(first_offset < near_covered, least(near_covered, last_offset + 1) - first_offset, 0) AS overlap,
    abs(toInt64(length) - toInt64(counted)) AS miscount
  FROM (
    SELECT
      stream, partition, first_offset, last_offset, stored, dead_lettered, duplicates, erased,
      toStartOfMinute(first_received_at) AS minute,
      last_offset + 1 - first_offset AS length,
      stored + dead_lettered + duplicates + erased AS counted,
      max(last_offset + 1) OVER (
        PARTITION BY stream, partition ORDER BY first_offset, last_offset
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS near_covered,
      greatest(near_covered, earlier_covered) AS covered,
      covered = 0 AS begins
    FROM batches
    LEFT JOIN (
      SELECT stream, partition, max(last_offset + 1) AS earlier_covered
      FROM batches
      WHERE stream IN {streams:Array(String)}
        AND last_received_at < fromUnixTimestamp64Milli({near_from_ms:Int64}, 'UTC')
      GROUP BY stream, partition
    ) AS earlier USING (stream, partition)
    WHERE stream IN {streams:Array(String)}
      AND ${BELOW_COMMITTED}
      AND last_received_at >= fromUnixTimestamp64Milli({near_from_ms:Int64}, 'UTC')
      AND first_received_at < fromUnixTimestamp64Milli({near_to_ms:Int64}, 'UTC')
  )
  WHERE minute >= toDateTime({from_s:UInt32}, 'UTC')
    AND minute < toDateTime({to_s:UInt32}, 'UTC')`.trim()

const COUNTS = `
  sum(length) + sum(gap) - sum(overlap) AS accepted_n,
  sum(stored) AS stored_n,
  sum(dead_lettered) AS dead_lettered_n,
  sum(duplicates) AS duplicates_n,
  sum(erased) AS erased_n,
  sum(gap) + sum(overlap) + sum(miscount) AS imbalance_n`.trim()

/** What the batches of a range say of each partition. */
export function bookedPartitionsQuery (range: BatchRange): Query {
  return {
    name: 'ledger_partitions',
    sql: `
SELECT
  stream, partition,
  ${COUNTS}
FROM (
  ${CHECKED_BATCHES}
)
GROUP BY stream, partition`.trimStart(),
    params: rangeParams(range)
  }
}

/** One page of minutes; one row more than `limit` says that there is another page. */
export function bookedMinutesQuery (
  range: BatchRange, { limit, after }: { limit: number, after: LedgerCursor | undefined }
): Query {
  const { minute_s: minute = 0, stream = '', partition = 0 } = after ?? {}
  const since = after === undefined
    ? ''
    : `
WHERE (minute, stream, partition) > (toDateTime({after_s:UInt32}, 'UTC'), {after_stream:String}, {after_partition:UInt32})`
  return {
    name: 'ledger_minutes',
    sql: `
SELECT
  toUnixTimestamp(minute) AS minute_s, stream, partition,
  min(first_offset) AS first_n,
  max(last_offset) AS last_n,
  ${COUNTS}
FROM (
  ${CHECKED_BATCHES}
)${since}
GROUP BY minute, stream, partition
ORDER BY minute, stream, partition
LIMIT {limit:UInt32}`.trimStart(),
    params: {
      ...rangeParams(range),
      limit: limit + 1,
      ...(after === undefined ? {} : { after_s: minute, after_stream: stream, after_partition: partition })
    }
  }
}

/** The batches that do not fit, oldest first, with what does not fit of each. */
export function batchFaultsQuery (range: BatchRange): Query {
  return {
    name: 'ledger_faults',
    sql: `
SELECT
  stream, partition, toUnixTimestamp(minute) AS minute_s, first_offset, last_offset, length, counted, gap,
  overlap, miscount
FROM (
  ${CHECKED_BATCHES}
)
WHERE gap > 0 OR overlap > 0 OR miscount > 0
ORDER BY minute, stream, partition, first_offset
LIMIT {limit:UInt32}`.trimStart(),
    params: { ...rangeParams(range), limit: FAULTS_MAX }
  }
}

/** How far all batches reach, whenever they were. */
export function bookedReachQuery (positions: readonly LogPosition[]): Query {
  return {
    name: 'ledger_reach',
    sql: `
SELECT stream, partition, min(first_offset) AS from_n, max(last_offset) + 1 AS to_n
FROM batches
WHERE stream IN {streams:Array(String)}
  AND ${BELOW_COMMITTED}
GROUP BY stream, partition`.trimStart(),
    params: positionParams(positions)
  }
}

export function toBookedMinutes (rows: readonly Row[]): BookedMinute[] {
  return rows.map((row) => ({
    minute_s: Number(row['minute_s']),
    stream: String(row['stream']),
    partition: Number(row['partition']),
    first_offset: Number(row['first_n']),
    last_offset: Number(row['last_n']),
    ...toBookedCounts(row)
  }))
}

/** By stream and partition, as `partitionKey` names them. */
export function toBookedPartitions (rows: readonly Row[]): Map<string, BookedCounts> {
  return new Map(rows.map((row) => [keyOf(row), toBookedCounts(row)]))
}

/** By stream and partition, as `partitionKey` names them. */
export function toBookedReach (rows: readonly Row[]): Map<string, BookedReach> {
  return new Map(rows.map((row) => [keyOf(row), { from: Number(row['from_n']), to: Number(row['to_n']) }]))
}

/** A batch may have several faults at once. */
export function toBatchFaults (rows: readonly Row[]): LedgerFault[] {
  return rows.flatMap((row) => {
    const [first, last] = [Number(row['first_offset']), Number(row['last_offset'])]
    type Offsets = [from: number, to: number]
    const fault = (kind: FaultKind, [from, to]: Offsets, expected: number, found: number): LedgerFault => ({
      kind,
      table: 'batches',
      stream: String(row['stream']),
      partition: Number(row['partition']),
      minute_s: Number(row['minute_s']),
      first_offset: from,
      last_offset: to,
      expected,
      found
    })
    const [gap, overlap] = [Number(row['gap']), Number(row['overlap'])]
    return [
      ...(gap > 0 ? [fault('gap', [first - gap, first - 1], gap, 0)] : []),
      ...(overlap > 0 ? [fault('overlap', [first, first + overlap - 1], overlap, 2 * overlap)] : []),
      ...(Number(row['miscount']) > 0
        ? [fault('miscount', [first, last], Number(row['length']), Number(row['counted']))]
        : [])
    ]
  })
}

export function partitionKey ({ stream, partition }: Pick<LogPosition, 'stream' | 'partition'>): string {
  return `${stream}-${partition}`
}

/** The committed offset of each partition, as parameters. */
export function positionParams (positions: readonly LogPosition[]) {
  return {
    streams: [...new Set(positions.map(({ stream }) => stream))],
    keys: positions.map(partitionKey),
    committed: positions.map(({ committed }) => committed)
  }
}

function rangeParams ({ positions, timeRange: { fromMs, toMs } }: BatchRange) {
  return {
    ...positionParams(positions),
    from_s: fromMs / 1000,
    to_s: toMs / 1000,
    near_from_ms: Math.max(0, fromMs - NEIGHBOURS_MS),
    near_to_ms: toMs + NEIGHBOURS_MS
  }
}

function toBookedCounts (row: Row): BookedCounts {
  return {
    accepted: Number(row['accepted_n']),
    stored: Number(row['stored_n']),
    dead_lettered: Number(row['dead_lettered_n']),
    duplicates: Number(row['duplicates_n']),
    erased: Number(row['erased_n']),
    imbalance: Number(row['imbalance_n'])
  }
}

function keyOf (row: Row): string {
  return partitionKey({ stream: String(row['stream']), partition: Number(row['partition']) })
}
