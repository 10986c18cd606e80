import { EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, civilToMs, parseTime } from '../contract/index.ts'
import { valuesOf } from '../http/index.ts'
import type { ParameterFaults, RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

export const DAY_MS = 86_400_000

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/

export interface WindowOptions {
  fromName: string
  toName: string
  /** Milliseconds that the window goes back where the query does not say when it begins. */
  defaultMs: number
  nowMs: number
}

/**
 * The range of time between two parameters, both ends in, to the millisecond. Each is an RFC 3339 date-time
 * or a date `YYYY-MM-DD` in UTC, which stands for its first millisecond where it begins the window and for
 * its last one where it ends it. Without an end the window ends now; without a begin it is `defaultMs`
 * long. Undefined, and a fault, where a bound is repeated or malformed, or the window is reversed.
 */
export function parseWindow (
  query: RawQuery, { fromName, toName, defaultMs, nowMs }: WindowOptions, faults: ParameterFaults
): TimeRange | undefined {
  const lastMs = parseInstant(query, toName, 'last', faults)
  const firstMs = parseInstant(query, fromName, 'first', faults)
  if (lastMs === 'malformed' || firstMs === 'malformed') return undefined
  const toMs = (lastMs ?? nowMs) + 1
  const fromMs = firstMs ?? toMs - 1 - defaultMs
  if (fromMs >= toMs) return faults.add(fromName, 'invalid_time_range', `must not be after ${toName}`)
  return { fromMs, toMs }
}

/**
 * Epoch milliseconds of a parameter that holds a date-time or a date, undefined where it is absent. `edge`
 * says which millisecond a date stands for. `'malformed'`, and a fault, where it is anything else.
 */
export function parseInstant (
  query: RawQuery, name: string, edge: 'first' | 'last', faults: ParameterFaults
): number | 'malformed' | undefined {
  const [text, ...others] = valuesOf(query, name)
  if (text === undefined) return undefined
  const ms = others.length === 0 ? parseTime(text) ?? dateMs(text, edge) : undefined
  if (ms !== undefined) return ms
  faults.add(name, 'invalid_time', 'must be one RFC 3339 time or one date YYYY-MM-DD')
  return 'malformed'
}

/** A range that ends now, at `nowMs`, which is no earlier than it was made; its length stays. */
export function slideTo ({ fromMs, toMs }: TimeRange, nowMs: number): TimeRange {
  const endMs = Math.max(nowMs + 1, toMs)
  return { fromMs: endMs - (toMs - fromMs), toMs: endMs }
}

/** The part of a range that a table can hold, as parameters of a query: `[from_ms, to_ms)`. */
export function storablePart ({ fromMs, toMs }: TimeRange): { from_ms: number, to_ms: number } {
  return { from_ms: clamp(fromMs), to_ms: clamp(toMs) }
}

function dateMs (text: string, edge: 'first' | 'last'): number | undefined {
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number]
  const firstMs = civilToMs(year, month, day, 0, 0, 0)
  return firstMs === undefined || edge === 'first' ? firstMs : firstMs + DAY_MS - 1
}

function clamp (ms: number): number {
  return Math.min(Math.max(ms, EVENT_TIME_MS_MIN), EVENT_TIME_MS_MAX + 1)
}
