import { fromEpoch } from '../contract/index.ts'
import { ParameterFaults, refuseUnknown, valuesOf } from '../http/index.ts'
import type { RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

const HOUR_MS = 3_600_000

export interface AnalyticsRequest {
  /** The hour up to the timestamp, both ends in. */
  timeRange: TimeRange
}

/**
 * `timestamp` is a whole number of seconds or milliseconds since 1970. Throws MillraceError with
 * `invalid_time` where it is missing, repeated or no such number, `out_of_range` where no event can be so
 * late, `invalid_parameter` for other parameters.
 */
export function parseAnalyticsRequest (query: RawQuery): AnalyticsRequest {
  const faults = new ParameterFaults()
  const atMs = parseTimestamp(query, faults)
  refuseUnknown(query, ['timestamp'], faults)
  faults.throwIfAny()
  return { timeRange: { fromMs: (atMs as number) - HOUR_MS, toMs: (atMs as number) + 1 } }
}

function parseTimestamp (query: RawQuery, faults: ParameterFaults): number | undefined {
  const [text = '', ...others] = valuesOf(query, 'timestamp')
  if (!/^\d{1,20}$/.test(text) || others.length > 0) {
    return faults.add('timestamp', 'invalid_time', 'must be one whole number of seconds or milliseconds since 1970')
  }
  return fromEpoch(Number(text)) ?? faults.add('timestamp', 'out_of_range', 'must be before the year 2106')
}
