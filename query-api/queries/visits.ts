/**
 * Visits by page and bucket of time. Whole minutes are counted from the rollup, what is left of a window at
 * its ends from the raw rows: exact to the millisecond, and a year costs no more than its minutes.
 */
import { MillraceError, formatTime, visits } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'
import type { Aggregation, VisitsRequest } from '../parse-visits-request.ts'

/** Counts in one answer: 20 MB of text, of which a default window by minute needs 1,440 a page. */
export const VISITS_COUNTS_MAX = 500_000

const MINUTE_MS = 60_000

/** The start of a time's bucket. `time` is a DateTime or a DateTime64 in UTC. */
const BUCKETS: Record<Aggregation, (time: string) => string> = {
  minute: (time) => `toStartOfMinute(${time})`,
  hour: (time) => `toStartOfHour(${time})`,
  day: (time) => `toStartOfDay(${time})`,
  month: (time) => `toDateTime(toStartOfMonth(${time}), 'UTC')`
}

export function visitsQuery (tenant: string, { aggregation, timeRange, unique }: VisitsRequest): Query {
  const range = storablePart(timeRange)
  const params = { tenant, ...range, counts_max: VISITS_COUNTS_MAX + 1 }
  const bucket = BUCKETS[aggregation]
  if (unique) {
    const counts = rawCounts(bucket('visitedAt'), 'uniqExact(identifier)')
    return { name: 'visits_unique', sql: byPage(counts), params }
  }
  const whole = wholeMinutes(range)
  if (whole.whole_from_s >= whole.whole_to_s) {
    return { name: 'visits', sql: byPage(rawCounts(bucket('visitedAt'), 'count()')), params }
  }
  // As milliseconds: compared with a DateTime, ClickHouse (26.7) takes `<` for `<=` of the second before when
  // it looks at the primary key, and leaves out the fraction of that second.
  const edges = `
      AND (
        visitedAt < fromUnixTimestamp64Milli(1000 * {whole_from_s:Int64}, 'UTC')
        OR visitedAt >= fromUnixTimestamp64Milli(1000 * {whole_to_s:Int64}, 'UTC')
      )`
  const aligned = whole.whole_from_s * 1000 === range.from_ms && whole.whole_to_s * 1000 === range.to_ms
  const counts = aligned
    ? rollupCounts(bucket('minute'))
    : `
    SELECT pageUrl, bucket_s, sum(visit_count) AS visit_count
    FROM (${indent(rollupCounts(bucket('minute')))}
      UNION ALL${indent(rawCounts(bucket('visitedAt'), 'count()', edges))}
    )
    GROUP BY pageUrl, bucket_s`
  return {
    name: 'visits',
    sql: byPage(counts),
    params: { ...params, ...whole }
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

/** The whole minutes of `[from_ms, to_ms)`, in seconds; none where the end is not after the start. */
function wholeMinutes (
  range: { from_ms: number, to_ms: number }
): { whole_from_s: number, whole_to_s: number } {
  return {
    whole_from_s: Math.ceil(range.from_ms / MINUTE_MS) * 60,
    whole_to_s: Math.floor(range.to_ms / MINUTE_MS) * 60
  }
}

function rollupCounts (bucket: string): string {
  return `
    SELECT pageUrl, toUnixTimestamp(${bucket}) AS bucket_s, sum(count) AS visit_count
    FROM ${visits.tables.byMinute}
    WHERE tenant = {tenant:String}
      AND minute >= toDateTime({whole_from_s:Int64}, 'UTC')
      AND minute < toDateTime({whole_to_s:Int64}, 'UTC')
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
