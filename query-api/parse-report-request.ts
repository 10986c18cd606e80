import { DAY_MS, parseWindow } from './parse-window.ts'
import { ParameterFaults, parseChoice, parseText, refuseUnknown } from '../http/index.ts'
import type { RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

const DEFAULT_MS = 7 * DAY_MS
/** Longer than the tables keep anything. */
const WINDOW_DAYS_MAX = 366

export const JOURNEY_KINDS = ['stage', 'url'] as const

export type JourneyKind = typeof JOURNEY_KINDS[number]

/** What a report is asked about. */
export interface ReportRequest {
  app: string
  timeRange: TimeRange
}

export interface JourneyRequest extends ReportRequest {
  kind: JourneyKind
}

/**
 * A request for a report on one app. `from` and `to` are read by `parseWindow`. Throws MillraceError with
 * `invalid_time`, `invalid_time_range` or `invalid_parameter`.
 */
export function parseReportRequest (rawApp: string, query: RawQuery, nowMs: number): ReportRequest {
  const faults = new ParameterFaults()
  const request = parseAppWindow(rawApp, query, nowMs, faults)
  refuseUnknown(query, ['from', 'to'], faults)
  faults.throwIfAny()
  return request as ReportRequest
}

/** The same, with `kind`: a journey through stages or through pages. */
export function parseJourneyRequest (rawApp: string, query: RawQuery, nowMs: number): JourneyRequest {
  const faults = new ParameterFaults()
  const request = parseAppWindow(rawApp, query, nowMs, faults)
  const kind = parseChoice(query, 'kind', JOURNEY_KINDS, 'stage', faults)
  refuseUnknown(query, ['from', 'to', 'kind'], faults)
  faults.throwIfAny()
  return { ...request as ReportRequest, kind }
}

function parseAppWindow (
  rawApp: string, query: RawQuery, nowMs: number, faults: ParameterFaults
): { app: string | undefined, timeRange: TimeRange | undefined } {
  const app = parseText('app', rawApp, faults)
  const timeRange = parseWindow(query, { fromName: 'from', toName: 'to', defaultMs: DEFAULT_MS, nowMs }, faults)
  if (timeRange !== undefined && timeRange.toMs - timeRange.fromMs > WINDOW_DAYS_MAX * DAY_MS) {
    faults.add('from', 'invalid_time_range', `the window must not be longer than ${WINDOW_DAYS_MAX} days`)
  }
  return { app, timeRange }
}
