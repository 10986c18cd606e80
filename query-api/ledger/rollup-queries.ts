/**
 * Rollups held to the raw table. They know no positions in the log, so what is compared is what both hold:
 * for each day of arrival, and each hour of the day that the events are of, how many rows there are, and a
 * checksum over time, organisation, dimensions and sums. Where that differs, bucket is compared with bucket.
 *
 * Erased rows stay in a rollup, which holds no subject, and nothing says any more in which bucket. A day that
 * had some may hold more by as many, in whichever hours; each hour must have the rows that are left at least,
 * and where it has just as many, the same checksum.
 */
import { FAULTS_MAX, erasedRows, partitionParams, secondsOf } from './recount-queries.ts'
import type { Query } from '../query-client.ts'
import type { Row, Stream } from '../../contract/index.ts'
import type { TimeRange } from '../parse-time-range.ts'
import type { LedgerFault } from './balance.ts'
import type { RecountRange } from './recount-queries.ts'

export interface Rollup {
  name: string
  unit: Unit
  /** Its column of time. */
  column: string
  /** SQL of what else tells its rows from others of the table; may be empty. */
  filter: string
}

type Unit = 'millisecond' | 'minute' | 'hour'

/** Hour of the rows of which it is not known: the erased ones. */
const ANY_HOUR = -1

/** A time in epoch seconds, and the start of an event's minute or hour. */
const secondsAt = (unit: Unit, time: string): string => {
  return unit === 'millisecond' ? `toUnixTimestamp64Milli(${time}) / 1000` : `toUnixTimestamp(${time})`
}
const START: Record<Unit, (time: string) => string> = {
  millisecond: (time) => time,
  minute: (time) => `toStartOfMinute(${time})`,
  hour: (time) => `toStartOfHour(${time})`
}

/** A table that counts by several units is a rollup for each. */
export function rollupsOf ({ tables: { byMinute, byTime } }: Stream): Rollup[] {
  const rollups: Rollup[] = []
  if (byMinute !== undefined) rollups.push({ name: byMinute, unit: 'minute', column: 'minute', filter: '' })
  if (byTime === undefined) return rollups
  for (const unit of ['hour', 'minute', 'millisecond'] as const) {
    rollups.push({ name: byTime, unit, column: 'start', filter: ` AND unit = '${unit}'` })
  }
  return rollups
}

/** What a rollup holds in every day of arrival that the range touches, by the events' hour of the day. */
export function rollupHoursQuery (
  stream: Stream, { name, unit, column, filter }: Rollup, timeRange: TimeRange
): Query {
  const at = secondsAt(unit, column)
  const check = checkOf(stream, { at, times: ' * count', sum: (measure) => `sum_${measure}` })
  return {
    name: 'ledger_rollup',
    sql: `
SELECT
  toString(received_date) AS day,
  toHour(${column}) AS hour,
  sum(count) AS found_n,
  toString(sum(${check})) AS check
FROM ${name}
WHERE received_date >= toDate(toDateTime({from_s:UInt32}, 'UTC'), 'UTC')
  AND received_date <= toDate(toDateTime({to_s:UInt32} - 1, 'UTC'), 'UTC')${filter}
GROUP BY day, hour`.trimStart(),
    params: { ...secondsOf(timeRange) }
  }
}

/**
 * The same by the raw table: at least the rows below the committed offset, which had reached the rollup when
 * it was asked; at most all that are there now. Erased rows are of the hour -1.
 */
export function rawHoursQuery (
  stream: Stream, { unit }: Rollup, { positions, timeRange }: RecountRange
): Query {
  const { eventTime, tables: { raw } } = stream
  const at = secondsAt(unit, START[unit](eventTime))
  const check = checkOf(stream, { at, times: '', sum: (measure) => measure })
  return {
    name: 'ledger_arrivals',
    sql: `
SELECT
  toString(toDate(received_at, 'UTC')) AS day,
  hour,
  countIf(offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))) AS least_n,
  count() AS most_n,
  toString(sum(row_check)) AS check
FROM (
SELECT
  _partition AS partition, _offset AS offset, received_at, toInt8(toHour(${eventTime})) AS hour,
  ${check} AS row_check
FROM ${raw}
UNION ALL
SELECT partition, offset, received_at, toInt8(${ANY_HOUR}) AS hour, toUInt64(0) AS row_check
${erasedRows({ name: raw, booked: 'stored' })}
)
WHERE received_at >= toStartOfDay(toDateTime({from_s:UInt32}, 'UTC'))
  AND received_at < toStartOfDay(toDateTime({to_s:UInt32} - 1, 'UTC')) + INTERVAL 1 DAY
GROUP BY day, hour`.trimStart(),
    params: { ...partitionParams(positions), ...secondsOf(timeRange) }
  }
}

/** A day of arrival, and the hours of its events that differ. */
export interface DifferingDay {
  day: string
  hours: number[]
}

/**
 * The minutes or hours of event time, on such a day, of which the rollup holds something else. Where there
 * are as many rows as there should be, `found_n` counts those in buckets that are right in everything.
 */
export function rollupBucketsQuery (
  { eventTime, rollup, tables: { raw } }: Stream,
  { name, unit, column, filter }: Rollup,
  { day, hours }: DifferingDay
): Query {
  const keys = ['at_s', 'tenant', ...rollup?.dimensions ?? []].join(', ')
  const sums = rollup?.sums ?? []
  const own = sums.map((measure) => `, ${measure} AS ${measure}_expected, toInt64(0) AS ${measure}_found`).join('')
  const other = sums.map((measure) => {
    return `, toInt64(0) AS ${measure}_expected, sum_${measure} AS ${measure}_found`
  }).join('')
  const agree = sums.map((measure) => ` AND sum(${measure}_expected) = sum(${measure}_found)`).join('')
  return {
    name: 'ledger_rollup_buckets',
    sql: `
SELECT
  at_s,
  sum(bucket_expected) AS expected_n,
  if(sum(bucket_found) = expected_n, sumIf(bucket_found, agrees), sum(bucket_found)) AS found_n
FROM (
  SELECT
    ${keys}, sum(expected) AS bucket_expected, sum(found) AS bucket_found,
    bucket_expected = bucket_found${agree} AS agrees
  FROM (
    SELECT ${secondsAt(unit, START[unit](eventTime))} AS ${keys}, toUInt64(1) AS expected, toUInt64(0) AS found${own}
    FROM ${raw}
    WHERE toDate(received_at, 'UTC') = toDate({day:String}) AND toHour(${eventTime}) IN {hours:Array(UInt8)}
    UNION ALL
    SELECT ${secondsAt(unit, column)} AS ${keys}, toUInt64(0) AS expected, count AS found${other}
    FROM ${name}
    WHERE received_date = toDate({day:String}) AND toHour(${column}) IN {hours:Array(UInt8)}${filter}
  )
  GROUP BY ${keys}
)
GROUP BY at_s
HAVING expected_n != found_n
ORDER BY at_s
LIMIT {limit:UInt32}`.trimStart(),
    params: { day, hours, limit: FAULTS_MAX }
  }
}

/** The days and hours of which a rollup holds what the raw table cannot. */
export function differingDays (rollup: readonly Row[], raw: readonly Row[]): DifferingDay[] {
  const [found, held] = [rollup, raw].map((rows) => Map.groupBy(rows, (row) => String(row['day']))) as [Days, Days]
  return [...new Set([...found.keys(), ...held.keys()])].toSorted()
    .map((day) => ({ day, hours: differingHours(found.get(day) ?? [], held.get(day) ?? []) }))
    .filter(({ hours }) => hours.length > 0)
}

type Days = Map<string, Row[]>

function differingHours (found: readonly Row[], held: readonly Row[]): number[] {
  const total = (rows: readonly Row[], column: string): number => {
    return rows.reduce((sum, row) => sum + Number(row[column]), 0)
  }
  const erased = held.some((row) => Number(row['hour']) === ANY_HOUR)
  const tooMany = total(found, 'found_n') > total(held, 'most_n')
  const hours = new Set([...found, ...held].map((row) => Number(row['hour'])).filter((hour) => hour !== ANY_HOUR))
  return [...hours].toSorted((one, other) => one - other).filter((hour) => {
    const [row, raw] = [found, held].map((rows) => rows.find((each) => Number(each['hour']) === hour))
    const count = Number(row?.['found_n'] ?? 0)
    const least = Number(raw?.['least_n'] ?? 0)
    const most = Number(raw?.['most_n'] ?? 0)
    if (count < least) return true
    // As many as are left: none of them is an erased one.
    if (count === least && least === most) return row?.['check'] !== raw?.['check']
    // A rollup that was built anew since does not hold the erased ones.
    return count > most && (tooMany || !erased)
  })
}

export function toRollupFaults (stream: string, { name }: Rollup, rows: readonly Row[]): LedgerFault[] {
  return rows.map((row) => ({
    kind: 'recount',
    table: name,
    stream,
    partition: null,
    minute_s: Number(row['at_s']),
    first_offset: null,
    last_offset: null,
    expected: Number(row['expected_n']),
    found: Number(row['found_n'])
  }))
}

/** SQL of one row's part of a checksum, modulo 2^64; in a rollup a row stands for `count` rows. */
function checkOf (
  { rollup }: Stream, { at, times, sum }: { at: string, times: string, sum: (measure: string) => string }
): string {
  const bucket = [at, 'tenant', ...rollup?.dimensions ?? []].join(', ')
  const sums = (rollup?.sums ?? []).map((measure) => {
    return ` + cityHash64('${measure}', ${bucket}) * toUInt64(toInt64(${sum(measure)}))`
  })
  return `cityHash64(${bucket})${times}${sums.join('')}`
}
