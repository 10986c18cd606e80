/**
 * Times on the wire: RFC 3339 text in, epoch milliseconds inside. The range is what every table can hold:
 * rollups keep minutes as ClickHouse DateTime (32 bit), which ends in 2106.
 */
export const EVENT_TIME_MS_MIN = 0
export const EVENT_TIME_MS_MAX = Date.UTC(2105, 11, 31, 23, 59, 59, 999)

/** Whether every table can hold this time, epoch milliseconds. */
export function isStorableTime (ms: number): boolean {
  return ms >= EVENT_TIME_MS_MIN && ms <= EVENT_TIME_MS_MAX
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/

/** The Gregorian calendar repeats after 400 years. */
const CYCLE_YEARS = 400
const CYCLE_MS = 146_097 * 86_400_000

/**
 * Epoch milliseconds of an RFC 3339 date-time (section 5.6; fraction of 1 to 9 digits, cut to milliseconds,
 * not rounded), or undefined where the text is none. Leap seconds are refused: they have no epoch
 * millisecond.
 */
export function parseTime (text: string): number | undefined {
  // Every event's time is read twice: digits at fixed places cost half of what capture groups do.
  if (!RFC_3339.test(text)) return undefined
  const civilMs = civilToMs(
    digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2),
    digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)
  )
  if (civilMs === undefined) return undefined
  const offsetMs = zoneOffsetMs(text)
  return offsetMs === undefined ? undefined : civilMs + fractionMs(text) - offsetMs
}

/** From here on a number counts milliseconds: as seconds it would be in the year 5138. */
const EPOCH_MILLISECONDS_FROM = 1e11

/**
 * Whole epoch milliseconds of a number of seconds or, from 10^11 on, milliseconds since 1970; a finer
 * fraction is cut. Undefined where it lies outside the times that every table holds.
 */
export function fromEpoch (number: number): number | undefined {
  // A decimal fraction of a second is not exact in binary: rounding to microseconds first restores it.
  const ms = Math.floor(number >= EPOCH_MILLISECONDS_FROM ? number : Math.round(number * 1e6) / 1e3)
  return isStorableTime(ms) ? ms : undefined
}

/** Epoch milliseconds of a UTC civil time, or undefined where there is no such day or time of day. */
export function civilToMs (
  year: number, month: number, day: number, hour: number, minute: number, second: number
): number | undefined {
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined
  if (day < 1 || day > daysInMonth(year, month)) return undefined
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; a whole cycle later they are themselves.
  return Date.UTC(year + CYCLE_YEARS, month - 1, day, hour, minute, second) - CYCLE_MS
}

/** The canonical text of a time: `YYYY-MM-DDTHH:MM:SS.mmmZ`. */
export function formatTime (ms: number): string {
  return new Date(ms).toISOString()
}

/**
 * What must be kept beside the milliseconds of a valid time so that a client gets its own text back: the text
 * with its fraction cut to three digits, or null where that is the canonical form already.
 */
export function timeTextToKeep (text: string): string | null {
  if (isCanonical(text)) return null
  const kept = text.replace(/(\.\d{3})\d+/, '$1')
  return isCanonical(kept) ? null : kept
}

/** Among valid times only `YYYY-MM-DDTHH:MM:SS.mmmZ` has this length and these letters. */
function isCanonical (text: string): boolean {
  return text.length === 24 && text[10] === 'T' && text[23] === 'Z'
}

function daysInMonth (year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] as number
}

function zoneOffsetMs (text: string): number | undefined {
  if (text.endsWith('Z') || text.endsWith('z')) return 0
  const hours = digits(text, text.length - 5, 2)
  const minutes = digits(text, text.length - 2, 2)
  if (hours > 23 || minutes > 59) return undefined
  return (text[text.length - 6] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** The first three digits of the fraction; those that are not there count as zeros. */
function fractionMs (text: string): number {
  if (text[19] !== '.') return 0
  let ms = 0
  let unit = 100
  for (let at = 20; unit >= 1 && isDigit(text, at); at += 1) {
    ms += digits(text, at, 1) * unit
    unit /= 10
  }
  return ms
}

function isDigit (text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

function digits (text: string, start: number, count: number): number {
  let value = 0
  for (let at = start; at < start + count; at += 1) value = value * 10 + text.charCodeAt(at) - 48
  return value
}
