/**
 * Times on the wire: RFC 3339 text in, epoch milliseconds inside. The range is what every table can hold:
 * rollups keep minutes as ClickHouse DateTime (32 bit), which ends in 2106.
 */
export const EVENT_TIME_MS_MIN = 0
export const EVENT_TIME_MS_MAX = Date.UTC(2105, 11, 31, 23, 59, 59, 999)

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/

/**
 * Epoch milliseconds of an RFC 3339 date-time (section 5.6; fraction of 1 to 9 digits, cut to milliseconds,
 * not rounded), or undefined where the text is none. Leap seconds are refused: they have no epoch
 * millisecond.
 */
export function parseTime (text: string): number | undefined {
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction, zone] = match
  const civilMs = civilToMs(
    Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)
  )
  if (civilMs === undefined) return undefined
  const offsetMs = zoneOffsetMs(zone as string)
  if (offsetMs === undefined) return undefined
  const fractionMs = fraction === undefined ? 0 : Number(fraction.slice(1, 4).padEnd(3, '0'))
  return civilMs + fractionMs - offsetMs
}

/** Epoch milliseconds of a UTC civil time, or undefined where there is no such day or time of day. */
export function civilToMs (
  year: number, month: number, day: number, hour: number, minute: number, second: number
): number | undefined {
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined
  if (day < 1 || day > daysInMonth(year, month)) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  return date.getTime()
}

/** The canonical text of a time: `YYYY-MM-DDTHH:MM:SS.mmmZ`. */
export function formatTime (ms: number): string {
  return new Date(ms).toISOString()
}

/**
 * What must be kept beside the milliseconds so that a client gets its own text back: the text with its
 * fraction cut to three digits, or null where that is the canonical form already.
 */
export function timeTextToKeep (text: string, ms: number): string | null {
  const kept = text.replace(/(\.\d{3})\d+/, '$1')
  return kept === formatTime(ms) ? null : kept
}

function daysInMonth (year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] as number
}

function zoneOffsetMs (zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(4, 6))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
