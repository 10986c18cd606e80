/**
 * Paces work at a constant rate without drift: what is due follows from the time since the start alone, so
 * a late tick is made up for by the next one. Of the work that the caller had no room for, at most
 * `backlogMax` is kept for later; the rest is counted as skipped.
 */
export class Pacer {
  readonly #options: { perSecond: number, startMs: number, backlogMax: number }
  #handedOut = 0
  #skipped = 0

  constructor (options: { perSecond: number, startMs: number, backlogMax: number }) {
    this.#options = options
  }

  /** How many are due at `nowMs` and may start, at most `capacity`; they count as started. */
  take (nowMs: number, capacity: number): number {
    const { perSecond, startMs, backlogMax } = this.#options
    const scheduled = Math.floor((nowMs - startMs) / 1000 * perSecond)
    const due = Math.max(0, scheduled - this.#handedOut - this.#skipped)
    const taken = Math.min(due, Math.max(0, capacity))
    this.#handedOut += taken
    this.#skipped += Math.max(0, due - taken - backlogMax)
    return taken
  }

  /** How many were due but never started, because too many were under way. */
  get skipped (): number {
    return this.#skipped
  }
}
