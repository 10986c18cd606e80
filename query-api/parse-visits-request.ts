import { DAY_MS, parseWindow, slideTo } from './parse-window.ts'
import { ParameterFaults, parseChoice, refuseUnknown } from '../http/index.ts'
import type { RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

/** Buckets of time in one answer. */
const BUCKETS_MAX = 10_000

/** From the shortest to the longest; each is whole within the next. */
export const AGGREGATIONS = ['minute', 'hour', 'day', 'month'] as const

export type Aggregation = typeof AGGREGATIONS[number]

/** How far back a request without `dateFrom` looks. */
const DEFAULT_MS: Record<Aggregation, number> = {
  minute: DAY_MS, hour: 7 * DAY_MS, day: 30 * DAY_MS, month: 365 * DAY_MS
}

export interface VisitsRequest {
  aggregation: Aggregation
  timeRange: TimeRange
  /** True: distinct visitors instead of visits. */
  unique: boolean
  /** The ends of the range that the query leaves to the clock. */
  sliding: { from: boolean, to: boolean }
}

/**
 * A request for visits by page and time. `dateFrom` and `dateTo` are read by `parseWindow`: both ends are in.
 * Throws MillraceError with `invalid_time`, `invalid_time_range` or `invalid_parameter`.
 */
export function parseVisitsRequest (query: RawQuery, nowMs: number): VisitsRequest {
  const faults = new ParameterFaults()
  const aggregation = parseChoice(query, 'aggregation', AGGREGATIONS, 'day', faults)
  const unique = parseChoice(query, 'unique', ['true', 'false'], 'false', faults)
  const timeRange = parseWindow(query, {
    fromName: 'dateFrom', toName: 'dateTo', defaultMs: DEFAULT_MS[aggregation], nowMs
  }, faults)
  if (timeRange !== undefined && bucketCount(aggregation, timeRange) > BUCKETS_MAX) {
    faults.add('dateFrom', 'invalid_time_range', `the window must not hold more than ${BUCKETS_MAX} buckets`)
  }
  refuseUnknown(query, ['aggregation', 'unique', 'dateFrom', 'dateTo'], faults)
  faults.throwIfAny()
  const sliding = { from: !('dateFrom' in query || 'dateTo' in query), to: !('dateTo' in query) }
  return { aggregation, timeRange: timeRange as TimeRange, unique: unique === 'true', sliding }
}

/** The range of a request that is read at `nowMs`, which is no earlier than it was made. */
export function rangeAt ({ timeRange, sliding }: VisitsRequest, nowMs: number): TimeRange {
  if (sliding.from) return slideTo(timeRange, nowMs)
  return sliding.to ? { ...timeRange, toMs: Math.max(nowMs + 1, timeRange.toMs) } : timeRange
}

/** The buckets that a range touches. */
function bucketCount (aggregation: Aggregation, { fromMs, toMs }: TimeRange): number {
  return bucketNumber(aggregation, toMs - 1) - bucketNumber(aggregation, fromMs) + 1
}

function bucketNumber (aggregation: Aggregation, ms: number): number {
  switch (aggregation) {
    case 'minute': return Math.floor(ms / 60_000)
    case 'hour': return Math.floor(ms / 3_600_000)
    case 'day': return Math.floor(ms / DAY_MS)
    case 'month': {
      const date = new Date(ms)
      return date.getUTCFullYear() * 12 + date.getUTCMonth()
    }
  }
}
