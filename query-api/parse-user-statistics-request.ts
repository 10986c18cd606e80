import { DAY_MS, parseInstant } from './parse-window.ts'
import { ParameterFaults, parseText, refuseUnknown, valuesOf } from '../http/index.ts'
import type { RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

export const DAYS_MAX = 90
export const DAYS_DEFAULT = 7

export interface UserStatisticsRequest {
  userId: string
  /** `(as_of - days × 24 h, as_of]`, in whole milliseconds. */
  timeRange: TimeRange
  /** True: the end of the range is left to the clock. */
  sliding: boolean
}

/**
 * A request for a user's statistics. `as_of` is an RFC 3339 time, or a date, which stands for its end;
 * without it, `nowMs`. Throws MillraceError with `invalid_time` or `invalid_parameter`.
 */
export function parseUserStatisticsRequest (
  rawUserId: string, query: RawQuery, nowMs: number
): UserStatisticsRequest {
  const faults = new ParameterFaults()
  const userId = parseText('user_id', rawUserId, faults)
  const days = parseDays(query, faults)
  const asOfMs = parseInstant(query, 'as_of', 'last', faults)
  refuseUnknown(query, ['days', 'as_of'], faults)
  faults.throwIfAny()
  const toMs = (asOfMs as number | undefined ?? nowMs) + 1
  const timeRange = { fromMs: toMs - (days as number) * DAY_MS, toMs }
  return { userId: userId as string, timeRange, sliding: asOfMs === undefined }
}

function parseDays (query: RawQuery, faults: ParameterFaults): number | undefined {
  const [text, ...others] = valuesOf(query, 'days')
  if (text === undefined) return DAYS_DEFAULT
  const days = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (days < 1 || days > DAYS_MAX || others.length > 0) {
    return faults.add('days', 'invalid_parameter', `must be one whole number from 1 to ${DAYS_MAX}`)
  }
  return days
}
