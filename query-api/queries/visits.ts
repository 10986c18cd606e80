/**
 * Visits by page and bucket of time. They are counted from a table that holds each visit by its hour, by its
 * minute and by its millisecond: whole hours where the buckets are no shorter, whole minutes beside them, and
 * milliseconds at the ends of a window. Exact, and a year costs no more than its hours. Distinct visitors are
 * counted from the raw rows.
 */
import { MillraceError, formatTime, visits } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import { AGGREGATIONS } from '../parse-visits-request.ts'
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'
import type { Aggregation, VisitsRequest } from '../parse-visits-request.ts'

/** Counts in one answer: 20 MB of text, of which a default window by minute needs 1,440 a page. */
export const VISITS_COUNTS_MAX = 500_000

type Unit = 'hour' | 'minute' | 'millisecond'

const UNITS: readonly Unit[] = ['hour', 'minute', 'millisecond']

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
 * One query for several windows of one tenant, or for one of distinct visitors: what windows have in common
 * is counted once.
 */
export function visitsQuery (tenant: string, windows: readonly VisitsWindow[]): Query {
  const [first] = windows as [VisitsWindow]
  const { name, sql, params } = first.unique ? visitorCounts(first) : visitCounts(segmentsOf(windows))
  return {
    name,
    sql: `
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (${sql}
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl`.trimStart(),
    params: { tenant, counts_max: VISITS_COUNTS_MAX + 1, ...params }
  }
}

/**
 * The body of the answer to each window, as text: an object would not keep the order of pages whose names
 * look like numbers. Where there are more counts than one answer may hold, each is a MillraceError
 * `invalid_time_range`: one of several windows may well be answered by itself.
 */
export function toVisitsBodies (
  windows: readonly VisitsWindow[], rows: readonly Row[]
): Array<string | MillraceError> {
  const counts = rows.reduce((sum, row) => sum + bucketsOf(row).length, 0)
  if (counts > VISITS_COUNTS_MAX) {
    return windows.map(() => new MillraceError(
      'invalid_time_range', `The answer has more than ${VISITS_COUNTS_MAX} counts: ask for a shorter window`
    ))
  }
  const rowsOf = Map.groupBy(rows, (row) => Number(row['segment']))
  const segments = segmentsOf(windows)
  return windows.map((window) => {
    const counted = segments.flatMap((segment, index) => {
      return segment.windows.includes(window) ? rowsOf.get(index) ?? [] : []
    })
    return toVisitsBody(window, counted)
  })
}

/** `[fromMs, toMs)`, epoch milliseconds. */
interface Range {
  fromMs: number
  toMs: number
}

/** A stretch of time that no window begins or ends within, counted by the shortest bucket of its windows. */
interface Segment {
  range: Range
  aggregation: Aggregation
  windows: VisitsWindow[]
}

/** In the order of time. */
function segmentsOf (windows: readonly VisitsWindow[]): Segment[] {
  const ranges = windows.map(({ timeRange }): Range => {
    const { from_ms: fromMs, to_ms: toMs } = storablePart(timeRange)
    return { fromMs, toMs }
  })
  const edges = [...new Set(ranges.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))].sort((a, b) => a - b)
  return edges.slice(1).flatMap((toMs, index) => {
    const fromMs = edges[index] as number
    const within = windows.filter((_, window) => {
      const range = ranges[window] as Range
      return range.fromMs <= fromMs && toMs <= range.toMs
    })
    const aggregation = AGGREGATIONS.find((each) => within.some((window) => window.aggregation === each))
    return aggregation === undefined ? [] : [{ range: { fromMs, toMs }, aggregation, windows: within }]
  })
}

/** `rows` in the order of their segments: the buckets of a page come out in the order of time. */
function toVisitsBody ({ aggregation }: VisitsWindow, rows: readonly Row[]): string {
  const pages = new Map<string, Map<number, number>>()
  for (const row of rows) {
    const sums = pages.get(row['pageUrl'] as string) ?? new Map<number, number>()
    pages.set(row['pageUrl'] as string, sums)
    for (const [bucketS, visitCount] of bucketsOf(row)) {
      const bucket = bucketAround(aggregation, Number(bucketS))
      sums.set(bucket, (sums.get(bucket) ?? 0) + Number(visitCount))
    }
  }
  const timeframes = new Map<number, string>()
  const texts = Array.from(pages, ([page, sums]) => {
    const entries = Array.from(sums, ([seconds, visitCount]) => {
      const timeframe = timeframes.get(seconds) ?? formatTime(seconds * 1000)
      timeframes.set(seconds, timeframe)
      return `{"timeframe":"${timeframe}","visit_count":${visitCount}}`
    })
    return { name: Buffer.from(page), text: `${JSON.stringify(page)}:[${entries.join(',')}]` }
  })
  texts.sort((a, b) => Buffer.compare(a.name, b.name))
  return `{"data":{${texts.map(({ text }) => text).join(',')}}}`
}

/** The start of each bucket in seconds of the epoch, and its count. */
function bucketsOf (row: Row): ReadonlyArray<readonly [number | string, number | string]> {
  return row['buckets'] as ReadonlyArray<readonly [number | string, number | string]>
}

const BUCKET_S = { minute: 60, hour: 3_600, day: 86_400 }

/** The bucket that a shorter one is a part of; both are starts, in seconds of the epoch. */
function bucketAround (aggregation: Aggregation, seconds: number): number {
  if (aggregation !== 'month') return seconds - seconds % BUCKET_S[aggregation]
  const start = new Date(seconds * 1000)
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth()) / 1000
}

interface Counts {
  name: string
  /** Rows of `segment`, `pageUrl`, `bucket_s` and `visit_count`, up to its GROUP BY. */
  sql: string
  params: Record<string, number>
}

function visitorCounts ({ aggregation, timeRange }: VisitsWindow): Counts {
  const sql = `
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(${BUCKETS[aggregation]('visitedAt')}) AS bucket_s,
    uniqExact(identifier) AS visit_count
  FROM ${visits.tables.raw}
  WHERE tenant = {tenant:String}
    AND visitedAt >= ${timeOf('from_ms')}
    AND visitedAt < ${timeOf('to_ms')}`
  return { name: 'visits_unique', sql, params: storablePart(timeRange) }
}

function visitCounts (segments: readonly Segment[]): Counts {
  const names = new Map<number, string>()
  const at = (ms: number): string => {
    const name = names.get(ms) ?? `edge_${names.size}`
    names.set(ms, name)
    return timeOf(name)
  }
  const conditions = segments.flatMap(({ range, aggregation }) => {
    return piecesOf(range, aggregation === 'minute' ? ['minute', 'millisecond'] : UNITS)
  }).map(({ unit, fromMs, toMs }) => `unit = '${unit}' AND start >= ${at(fromMs)} AND start < ${at(toMs)}`)
  const later = segments.slice(1).map(({ range }) => `(start >= ${at(range.fromMs)})`)
  const sql = `
  SELECT
    ${later.join(' + ') || '0'} AS segment,
    pageUrl,
    ${bucketSql(segments, at)} AS bucket_s,
    sum(count) AS visit_count
  FROM ${visits.tables.byTime}
  WHERE tenant = {tenant:String} AND (
    ${conditions.join('\n    OR ') || 'false'}
  )`
  return { name: 'visits', sql, params: Object.fromEntries(Array.from(names, ([ms, name]) => [name, ms])) }
}

/** The start of a row's bucket, which goes by its segment. */
function bucketSql (segments: readonly Segment[], at: (ms: number) => string): string {
  const bucket = (aggregation: Aggregation = 'day') => `toUnixTimestamp(${BUCKETS[aggregation]('start')})`
  const last = bucket(segments.at(-1)?.aggregation)
  if (new Set(segments.map(({ aggregation }) => aggregation)).size < 2) return last
  const before = segments.slice(0, -1).map(({ range, aggregation }) => {
    return `start < ${at(range.toMs)}, ${bucket(aggregation)}`
  })
  return `multiIf(${before.join(', ')}, ${last})`
}

/** A range as whole units, the longest first, and what is left beside them in shorter ones. */
function piecesOf (range: Range, [unit, ...shorter]: readonly Unit[]): Array<Range & { unit: Unit }> {
  if (unit === undefined || range.fromMs >= range.toMs) return []
  const fromMs = Math.ceil(range.fromMs / UNIT_MS[unit]) * UNIT_MS[unit]
  const toMs = Math.floor(range.toMs / UNIT_MS[unit]) * UNIT_MS[unit]
  if (fromMs >= toMs) return piecesOf(range, shorter)
  return [
    { unit, fromMs, toMs },
    ...piecesOf({ fromMs: range.fromMs, toMs: fromMs }, shorter),
    ...piecesOf({ fromMs: toMs, toMs: range.toMs }, shorter)
  ]
}

function timeOf (parameter: string): string {
  return `fromUnixTimestamp64Milli({${parameter}:Int64}, 'UTC')`
}
