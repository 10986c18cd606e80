/** Offsets of IANA time zones, from the runtime's own database (ICU). */

const NAME = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/

/** One zone. Instants are epoch seconds; local times are the seconds of the same civil time in UTC. */
export class TimeZone {
  private readonly format: Intl.DateTimeFormat

  private constructor (format: Intl.DateTimeFormat) {
    this.format = format
  }

  /** Undefined where there is no such zone. */
  static of (name: string): TimeZone | undefined {
    // Offsets such as "+01:00", which the runtime takes too, are no names of zones.
    if (!NAME.test(name)) return undefined
    try {
      return new TimeZone(new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        era: 'short',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric'
      }))
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  /** Seconds that local time is ahead of UTC. */
  offsetAt (instant: number): number {
    const parts: Record<string, string> = {}
    for (const { type, value } of this.format.formatToParts(instant * 1000)) parts[type] = value
    const number = (name: string): number => Number(parts[name])
    // 1 BC is the year 0: only instants in 1970 west of Greenwich or later come here, all of them AD.
    const local = Date.UTC(
      number('year'), number('month') - 1, number('day'), number('hour'), number('minute'), number('second')
    )
    return local / 1000 - instant
  }

  /** The first instant at which the clocks show `local` or, where they skip it, more. */
  instantOf (local: number): number {
    // No offset is beyond 16 hours, and none changes twice within a day around a local time.
    const before = this.offsetAt(local - 86_400)
    const after = this.offsetAt(local + 86_400)
    const candidates = [local - before, local - after].sort((a, b) => a - b)
    for (const instant of candidates) {
      if (instant + this.offsetAt(instant) === local) return instant
    }
    return this.changeWithin(local - 86_400, local + 86_400) ?? local - before
  }

  /** The first instant in `(from, to]` whose offset differs from that at `from`, if the one at `to` does. */
  changeWithin (from: number, to: number): number | undefined {
    const offset = this.offsetAt(from)
    if (this.offsetAt(to) === offset) return undefined
    let [low, high] = [from, to]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.offsetAt(middle) === offset) low = middle
      else high = middle
    }
    return high
  }
}
