/**
 * Visits by page and bucket of time. Whole hours are counted from the rollup by hour where the buckets are no
 * shorter, whole minutes beside them from the rollup by minute, and what is left of a window at its ends from
 * the raw rows: exact to the millisecond, and a year costs no more than its hours.
 */
import { MillraceError, formatTime, visits } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'
import type { Aggregation, VisitsRequest } from '../parse-visits-request.ts'

/** Counts in one answer: 20 MB of text, of which a default window by minute needs 1,440 a page. */
export const VISITS_COUNTS_MAX = 500_000

const MINUTE_S = 60
const HOUR_S = 3600

/** The start of a time's bucket. `time` is a DateTime or a DateTime64 in UTC. */
const BUCKETS: Record<Aggregation, (time: string) => string> = {
  minute: (time) => `toStartOfMinute(${time})`,
  hour: (time) => `toStartOfHour(${time})`,
  day: (time) => `toStartOfDay(${time})`,
  month: (time) => `toDateTime(toStartOfMonth(${time}), 'UTC')`
}

/** What the rollup by hour does not count. */
const OUTSIDE_HOURS = `
      AND (
        minute < toDateTime({hours_from_s:Int64}, 'UTC')
        OR minute >= toDateTime({hours_to_s:Int64}, 'UTC')
      )`

/**
 * What no rollup counts. As milliseconds: compared with a DateTime, ClickHouse (26.7) takes `<` for `<=` of
 * the second before when it looks at the primary key, and leaves out the fraction of that second.
 */
const OUTSIDE_MINUTES = `
      AND (
        visitedAt < fromUnixTimestamp64Milli(1000 * {minutes_from_s:Int64}, 'UTC')
        OR visitedAt >= fromUnixTimestamp64Milli(1000 * {minutes_to_s:Int64}, 'UTC')
      )`

export function visitsQuery (
  tenant: string, { aggregation, timeRange, unique }: Omit<VisitsRequest, 'sliding'>
): Query {
  const range = storablePart(timeRange)
  const params = { tenant, ...range, counts_max: VISITS_COUNTS_MAX + 1 }
  const bucket = BUCKETS[aggregation]
  if (unique) {
    const counts = rawCounts(bucket('visitedAt'), 'uniqExact(identifier)')
    return { name: 'visits_unique', sql: byPage(counts), params }
  }
  const minutes = wholeUnits(range, MINUTE_S)
  const hours = aggregation === 'minute' ? undefined : wholeUnits(range, HOUR_S)
  const isCovered = (whole: Whole | undefined, from: number, to: number): boolean => {
    return whole !== undefined && whole.from === from && whole.to === to
  }
  const counts = [
    ...(hours === undefined ? [] : [rollupCounts('hour', bucket('hour'))]),
    ...(minutes === undefined || isCovered(hours, minutes.from, minutes.to)
      ? []
      : [rollupCounts('minute', bucket('minute'), hours === undefined ? '' : OUTSIDE_HOURS)]),
    ...(isCovered(minutes, range.from_ms / 1000, range.to_ms / 1000)
      ? []
      : [rawCounts(bucket('visitedAt'), 'count()', minutes === undefined ? '' : OUTSIDE_MINUTES)])
  ]
  return {
    name: 'visits',
    sql: byPage(together(counts)),
    params: {
      ...params,
      ...(minutes === undefined ? {} : { minutes_from_s: minutes.from, minutes_to_s: minutes.to }),
      ...(hours === undefined ? {} : { hours_from_s: hours.from, hours_to_s: hours.to })
    }
  }
}

/**
 * The body of an answer, as text: an object would not keep the order of pages whose names look like numbers.
 * Throws MillraceError `invalid_time_range` where there are more counts than one answer holds.
 */
export function toVisitsBody (rows: readonly Row[]): string {
  const timeframes = new Map<number, string>()
  let counts = 0
  const pages = rows.map((row) => {
    const buckets = row['buckets'] as ReadonlyArray<readonly [number | string, number | string]>
    counts += buckets.length
    const entries = buckets.map(([bucketS, visitCount]) => {
      const seconds = Number(bucketS)
      const timeframe = timeframes.get(seconds) ?? formatTime(seconds * 1000)
      timeframes.set(seconds, timeframe)
      return `{"timeframe":"${timeframe}","visit_count":${Number(visitCount)}}`
    })
    return `${JSON.stringify(row['pageUrl'])}:[${entries.join(',')}]`
  })
  if (counts > VISITS_COUNTS_MAX) {
    throw new MillraceError(
      'invalid_time_range', `The answer has more than ${VISITS_COUNTS_MAX} counts: ask for a shorter window`
    )
  }
  return `{"data":{${pages.join(',')}}}`
}

/** Epoch seconds, `[from, to)`. */
interface Whole {
  from: number
  to: number
}

/** The whole minutes, or hours, of a range; undefined where it has none. */
function wholeUnits (
  { from_ms: fromMs, to_ms: toMs }: ReturnType<typeof storablePart>, unitS: number
): Whole | undefined {
  const from = Math.ceil(fromMs / 1000 / unitS) * unitS
  const to = Math.floor(toMs / 1000 / unitS) * unitS
  return from < to ? { from, to } : undefined
}

function rollupCounts (unit: 'minute' | 'hour', bucket: string, condition = ''): string {
  return `
    SELECT pageUrl, toUnixTimestamp(${bucket}) AS bucket_s, sum(count) AS visit_count
    FROM ${unit === 'hour' ? visits.tables.byHour : visits.tables.byMinute}
    WHERE tenant = {tenant:String}
      AND ${unit} >= toDateTime({${unit}s_from_s:Int64}, 'UTC')
      AND ${unit} < toDateTime({${unit}s_to_s:Int64}, 'UTC')${condition}
    GROUP BY pageUrl, bucket_s`
}

function rawCounts (bucket: string, count: string, condition = ''): string {
  return `
    SELECT pageUrl, toUnixTimestamp(${bucket}) AS bucket_s, ${count} AS visit_count
    FROM ${visits.tables.raw}
    WHERE tenant = {tenant:String}
      AND visitedAt >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      AND visitedAt < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')${condition}
    GROUP BY pageUrl, bucket_s`
}

/** The counts of several tables, none of which counts what another one does. */
function together (counts: readonly string[]): string {
  const [first = '', ...others] = counts
  if (others.length === 0) return first
  return `
    SELECT pageUrl, bucket_s, sum(visit_count) AS visit_count
    FROM (${counts.map(indent).join('\n      UNION ALL')}
    )
    GROUP BY pageUrl, bucket_s`
}

/** One row a page: far less text than one a count. */
function byPage (counts: string): string {
  return `
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (${counts}
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl`.trimStart()
}

function indent (sql: string): string {
  return sql.replaceAll('\n', '\n  ')
}
