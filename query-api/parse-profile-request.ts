import { ParameterFaults, parseText, refuseUnknown, valuesOf } from '../http/index.ts'
import { parseTimeRange } from './parse-time-range.ts'
import type { RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

/** Tags of each kind in one profile, and the limit where a request names none. */
export const PROFILE_LIMIT_MAX = 200

export interface ProfileRequest {
  cookie: string
  timeRange: TimeRange
  /** 0 to PROFILE_LIMIT_MAX, of the views and of the buys each. */
  limit: number
}

/**
 * A profile request from its path parameter and query string. Throws MillraceError with `invalid_time_range`,
 * `invalid_limit` or `invalid_parameter`.
 */
export function parseProfileRequest (rawCookie: string, query: RawQuery): ProfileRequest {
  const faults = new ParameterFaults()
  const cookie = parseText('cookie', rawCookie, faults)
  const timeRange = parseTimeRange(query, faults)
  const limit = parseLimit(query, faults)
  refuseUnknown(query, ['time_range', 'limit'], faults)
  faults.throwIfAny()
  return { cookie, timeRange, limit } as ProfileRequest
}

function parseLimit (query: RawQuery, faults: ParameterFaults): number | undefined {
  const [text, ...others] = valuesOf(query, 'limit')
  if (text === undefined) return PROFILE_LIMIT_MAX
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : undefined
  if (limit === undefined || limit > PROFILE_LIMIT_MAX || others.length > 0) {
    return faults.add('limit', 'invalid_limit', `must be one whole number from 0 to ${PROFILE_LIMIT_MAX}`)
  }
  return limit
}
