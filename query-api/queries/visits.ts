/**
 * Visits by page and bucket of time. They are counted from a table that holds each visit by its hour, by its
 * minute and by its millisecond: whole hours where the buckets are no shorter, whole minutes beside them, and
 * milliseconds at the ends of a window. Exact, and a year costs no more than its hours. Distinct visitors are
 * counted from the raw rows.
 */
import { MillraceError, formatTime, visits } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'
import type { Aggregation, VisitsRequest } from '../parse-visits-request.ts'

/** Counts in one answer: 20 MB of text, of which a default window by minute needs 1,440 a page. */
export const VISITS_COUNTS_MAX = 500_000

const DAY_S = 86_400

type Unit = 'hour' | 'minute' | 'millisecond'

const UNIT_MS: Record<Unit, number> = { hour: 3_600_000, minute: 60_000, millisecond: 1 }

/** The start of a time's bucket. `time` is a DateTime64 in UTC. */
const BUCKETS: Record<Aggregation, (time: string) => string> = {
  minute: (time) => `toStartOfMinute(${time})`,
  hour: (time) => `toStartOfHour(${time})`,
  day: (time) => `toStartOfDay(${time})`,
  month: (time) => `toDateTime(toStartOfMonth(${time}), 'UTC')`
}

export type VisitsWindow = Omit<VisitsRequest, 'sliding'>

/**
 * One query for several windows of one tenant. Windows of one range, in hours and longer buckets, are counted
 * once, by the shortest of these buckets: what is longer is their sum.
 */
export function visitsQuery (tenant: string, windows: readonly VisitsWindow[]): Query {
  const parts = scansOf(windows).map(({ scan }, index) => scanPart(scan, index))
  return {
    name: windows.some(({ unique }) => unique) ? 'visits_unique' : 'visits',
    sql: parts.map(({ sql }) => sql).join('\nUNION ALL\n'),
    params: Object.assign({ tenant, counts_max: VISITS_COUNTS_MAX + 1 }, ...parts.map((part) => part.params))
  }
}

/**
 * The body of the answer to each window, as text: an object would not keep the order of pages whose names
 * look like numbers. An answer of more counts than one may hold is a MillraceError `invalid_time_range`, and
 * so is one that was counted together with such a one: it may well be answered by itself.
 */
export function toVisitsBodies (
  windows: readonly VisitsWindow[], rows: readonly Row[]
): Array<string | MillraceError> {
  const rowsOf = Map.groupBy(rows, (row) => Number(row['scan']))
  const bodies = new Map(scansOf(windows).flatMap(({ scan, windows: sharing }, index) => {
    const counted = rowsOf.get(index) ?? []
    return sharing.map((window) => [window, toVisitsBody(counted, bucketOf(window, scan))] as const)
  }))
  return windows.map((window) => bodies.get(window) as string | MillraceError)
}

/** What is counted once, and the windows that it answers. */
interface Scan {
  scan: VisitsWindow
  windows: VisitsWindow[]
}

/** From the shortest to the longest; each is a sum of those before it. */
const NESTED: readonly Aggregation[] = ['hour', 'day', 'month']

function scansOf (windows: readonly VisitsWindow[]): Scan[] {
  const groups = Map.groupBy(windows, (window) => {
    const { aggregation, unique, timeRange: { fromMs, toMs } } = window
    return unique || !NESTED.includes(aggregation) ? window : `${fromMs} ${toMs}`
  })
  return [...groups.values()].map((sharing) => {
    const [scan] = sharing.toSorted((a, b) => NESTED.indexOf(a.aggregation) - NESTED.indexOf(b.aggregation))
    return { scan: scan as VisitsWindow, windows: sharing }
  })
}

/** The bucket of a window that one of its scan is a part of; both in seconds of the epoch. */
function bucketOf (window: VisitsWindow, scan: VisitsWindow): (bucketS: number) => number {
  if (window.aggregation === scan.aggregation) return (bucketS) => bucketS
  if (window.aggregation === 'day') return (bucketS) => bucketS - bucketS % DAY_S
  return (bucketS) => {
    const start = new Date(bucketS * 1000)
    return Date.UTC(start.getUTCFullYear(), start.getUTCMonth()) / 1000
  }
}

function toVisitsBody (rows: readonly Row[], bucketOf: (bucketS: number) => number): string | MillraceError {
  const timeframes = new Map<number, string>()
  let counts = 0
  const pages = rows.map((row) => {
    const name = Buffer.from(row['pageUrl'] as string)
    const buckets = row['buckets'] as ReadonlyArray<readonly [number | string, number | string]>
    counts += buckets.length
    const sums = new Map<number, number>()
    for (const [bucketS, visitCount] of buckets) {
      const bucket = bucketOf(Number(bucketS))
      sums.set(bucket, (sums.get(bucket) ?? 0) + Number(visitCount))
    }
    const entries = Array.from(sums, ([seconds, visitCount]) => {
      const timeframe = timeframes.get(seconds) ?? formatTime(seconds * 1000)
      timeframes.set(seconds, timeframe)
      return `{"timeframe":"${timeframe}","visit_count":${visitCount}}`
    })
    return { name, text: `${JSON.stringify(row['pageUrl'])}:[${entries.join(',')}]` }
  })
  if (counts > VISITS_COUNTS_MAX) {
    return new MillraceError(
      'invalid_time_range', `The answer has more than ${VISITS_COUNTS_MAX} counts: ask for a shorter window`
    )
  }
  pages.sort((a, b) => Buffer.compare(a.name, b.name))
  return `{"data":{${pages.map(({ text }) => text).join(',')}}}`
}

interface Part {
  sql: string
  params: Record<string, number>
}

/** `[fromMs, toMs)`, epoch milliseconds. */
interface Range {
  fromMs: number
  toMs: number
}

/** One row a page: far less text than one a count. */
function scanPart ({ aggregation, timeRange, unique }: VisitsWindow, index: number): Part {
  const { from_ms: fromMs, to_ms: toMs } = storablePart(timeRange)
  const count = unique ? visitorCounts : visitCounts
  const counts = count(aggregation, { fromMs, toMs }, index)
  const sql = `
SELECT ${index} AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (${counts.sql}
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl`
  return { sql: sql.trimStart(), params: counts.params }
}

function visitorCounts (aggregation: Aggregation, { fromMs, toMs }: Range, index: number): Part {
  const sql = `
  SELECT
    pageUrl, toUnixTimestamp(${BUCKETS[aggregation]('visitedAt')}) AS bucket_s,
    uniqExact(identifier) AS visit_count
  FROM ${visits.tables.raw}
  WHERE tenant = {tenant:String}
    AND visitedAt >= ${timeOf(`from_${index}`)}
    AND visitedAt < ${timeOf(`to_${index}`)}`
  return { sql, params: { [`from_${index}`]: fromMs, [`to_${index}`]: toMs } }
}

/** Each unit counts what the one before it, of longer units, does not. */
function visitCounts (aggregation: Aggregation, range: Range, index: number): Part {
  const units: readonly Unit[] = aggregation === 'minute'
    ? ['minute', 'millisecond']
    : ['hour', 'minute', 'millisecond']
  const params: Record<string, number> = {}
  const edge = (name: string, ms: number): string => {
    params[`${name}_${index}`] = ms
    return timeOf(`${name}_${index}`)
  }
  const conditions: string[] = []
  let counted: { whole: Range, from: string, to: string } | undefined
  for (const unit of units) {
    const whole = wholeUnits(range, UNIT_MS[unit])
    if (whole === undefined) continue
    if (counted?.whole.fromMs === whole.fromMs && counted.whole.toMs === whole.toMs) continue
    const from = edge(`${unit}s_from`, whole.fromMs)
    const to = edge(`${unit}s_to`, whole.toMs)
    const beside = counted === undefined
      ? ''
      : `
      AND (start < ${counted.from} OR start >= ${counted.to})`
    conditions.push(`unit = '${unit}' AND start >= ${from} AND start < ${to}${beside}`)
    counted = { whole, from, to }
  }
  if (conditions.length === 0) conditions.push('false')
  const sql = `
  SELECT pageUrl, toUnixTimestamp(${BUCKETS[aggregation]('start')}) AS bucket_s, sum(count) AS visit_count
  FROM ${visits.tables.byTime}
  WHERE tenant = {tenant:String} AND (
    ${conditions.join('\n    OR ')}
  )`
  return { sql, params }
}

/** The whole hours, minutes or milliseconds of a range; undefined where it has none. */
function wholeUnits (range: Range, unitMs: number): Range | undefined {
  const fromMs = Math.ceil(range.fromMs / unitMs) * unitMs
  const toMs = Math.floor(range.toMs / unitMs) * unitMs
  return fromMs < toMs ? { fromMs, toMs } : undefined
}

function timeOf (parameter: string): string {
  return `fromUnixTimestamp64Milli({${parameter}:Int64}, 'UTC')`
}
