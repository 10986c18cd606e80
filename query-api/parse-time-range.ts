import { civilToMs } from '../contract/index.ts'
import { valuesOf } from '../http/index.ts'
import type { ParameterFaults, RawQuery } from '../http/index.ts'

/** `[fromMs, toMs)`, epoch milliseconds; `fromMs <= toMs`. */
export interface TimeRange {
  fromMs: number
  toMs: number
}

const MINUTE_MS = 60_000
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))?$/

/**
 * The range of `time_range=<from>_<to>`: two UTC date-times without zone, `YYYY-MM-DDTHH:MM:SS[.fff]`, with
 * one underscore between. Undefined, and a fault, where it is absent, repeated, malformed or reversed.
 */
export function parseTimeRange (query: RawQuery, faults: ParameterFaults): TimeRange | undefined {
  const values = valuesOf(query, 'time_range')
  if (values.length !== 1) {
    return refuse(faults, values.length === 0 ? 'is required' : 'must stand once')
  }
  const bounds = (values[0] as string).split('_')
  const [fromMs, toMs] = bounds.map(parseDateTime)
  if (bounds.length !== 2 || fromMs === undefined || toMs === undefined) {
    return refuse(faults, 'must be two times YYYY-MM-DDTHH:MM:SS[.fff] with one underscore between')
  }
  if (fromMs > toMs) return refuse(faults, 'must not end before it begins')
  return { fromMs, toMs }
}

/**
 * A `time_range` in whole minutes, written without fractions, of at most `minutesMax`. Undefined, and a
 * fault, where it is not.
 */
export function parseMinuteRange (
  query: RawQuery, minutesMax: number, faults: ParameterFaults
): TimeRange | undefined {
  const range = parseTimeRange(query, faults)
  if (range === undefined) return undefined
  const { fromMs, toMs } = range
  const aligned = fromMs % MINUTE_MS === 0 && toMs % MINUTE_MS === 0
  if (!aligned || valuesOf(query, 'time_range').some((text) => text.includes('.'))) {
    return refuse(faults, 'must begin and end on a minute, in whole seconds')
  }
  if (toMs - fromMs > minutesMax * MINUTE_MS) {
    return refuse(faults, `must not be longer than ${minutesMax} minutes`)
  }
  return range
}

/** The start of every minute of a range that is aligned to minutes, epoch milliseconds, ascending. */
export function minutesOf ({ fromMs, toMs }: TimeRange): number[] {
  return Array.from({ length: (toMs - fromMs) / MINUTE_MS }, (_, index) => fromMs + index * MINUTE_MS)
}

function parseDateTime (text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as
    [number, number, number, number, number, number]
  const civilMs = civilToMs(year, month, day, hour, minute, second)
  return civilMs === undefined ? undefined : civilMs + Number((match[7] ?? '').padEnd(3, '0'))
}

function refuse (faults: ParameterFaults, message: string): undefined {
  return faults.add('time_range', 'invalid_time_range', message)
}
