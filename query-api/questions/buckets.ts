import { BUCKETS } from './question.ts'
import type { TimeZone } from './time-zone.ts'
import type { BucketName } from './question.ts'

const DAY_SECONDS = 86_400
/** Monday, 5 January 1970. */
const FIRST_MONDAY_DAY = 4

export interface BucketRange {
  bucket: BucketName
  zone: TimeZone
  /** Epoch seconds, `[from, to)`. */
  from: number
  to: number
  countMax: number
}

/**
 * Epoch seconds at which each bucket that touches `[from, to)` begins, ascending; undefined where there are
 * more than `countMax`. The first may begin before `from`.
 *
 * Up to an hour a bucket is a stretch of time: it begins where the local clock shows a multiple of its
 * length, and an hour that the clocks repeat is two buckets. A change of offset that falls inside a bucket
 * (Lord Howe moves its clocks by half an hour) ends it. Longer buckets are civil: they begin at a multiple of
 * their hours after local midnight, at midnight, on Monday, on the first of the month, and are longer or
 * shorter on the days that the clocks change.
 */
export function bucketStarts (range: BucketRange): number[] | undefined {
  const { bucket, from, to, countMax } = range
  const length: Length = BUCKETS[bucket]
  if ((to - from) / shortestSeconds(length) > countMax + 2) return undefined
  const starts = length.seconds !== undefined
    ? fixedStarts(range, length.seconds)
    : civilStarts(range, civilSteps(length))
  const first = starts.findLastIndex((start) => start <= from)
  const kept = starts.slice(Math.max(first, 0)).filter((start) => start < to)
  return kept.length > countMax ? undefined : kept
}

interface Length {
  seconds?: number
  hours?: number
  days?: number
  months?: number
}

/** The length itself, and the shortest of months. */
function shortestSeconds ({ seconds = 0, hours = 0, days = 0, months = 0 }: Length): number {
  return seconds + hours * 3600 + days * DAY_SECONDS + months * 28 * DAY_SECONDS
}

/** Grid points of each stretch of one offset, and where a new stretch begins. */
function fixedStarts ({ zone, from, to }: BucketRange, step: number): number[] {
  const starts: number[] = []
  const begin = from - step
  for (let stretch = begin; stretch < to;) {
    const toGrid = mod(-(stretch + zone.offsetAt(stretch)), step)
    if (stretch > begin && toGrid > 0) starts.push(stretch)
    const end = stretchEnd(zone, stretch, to)
    for (let start = stretch + toGrid; start < end; start += step) starts.push(start)
    stretch = end
  }
  return starts
}

/** Where the offset at `from` ends; `to` where it lasts until then. */
function stretchEnd (zone: TimeZone, from: number, to: number): number {
  for (let at = from; at < to; at += DAY_SECONDS) {
    const change = zone.changeWithin(at, Math.min(at + DAY_SECONDS, to))
    if (change !== undefined) return change
  }
  return to
}

/** The local time of the last bucket that begins by `local`, and of the one after it. */
interface CivilSteps {
  floor: (local: number) => number
  next: (local: number) => number
}

function civilSteps (length: Length): CivilSteps {
  if (length.months !== undefined) {
    return { floor: (local) => monthStart(local, 0), next: (local) => monthStart(local, 1) }
  }
  const step = (length.hours ?? 0) * 3600 + (length.days ?? 0) * DAY_SECONDS
  const anchor = step > DAY_SECONDS ? FIRST_MONDAY_DAY * DAY_SECONDS : 0
  return { floor: (local) => local - mod(local - anchor, step), next: (local) => local + step }
}

function civilStarts ({ zone, from, to }: BucketRange, { floor, next }: CivilSteps): number[] {
  const starts: number[] = []
  // A day earlier: where the clocks went back just before `from`, its bucket may begin twice.
  let local = floor(from + zone.offsetAt(from) - DAY_SECONDS)
  for (let start = zone.instantOf(local); start < to; start = zone.instantOf(local)) {
    if (start !== starts[starts.length - 1]) starts.push(start)
    local = next(local)
  }
  return starts
}

function monthStart (local: number, monthsLater: number): number {
  const date = new Date(local * 1000)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + monthsLater, 1) / 1000
}

function mod (value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor
}
