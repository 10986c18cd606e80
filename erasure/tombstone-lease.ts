import { LEASE_MS, Tombstones } from './tombstone.ts'
import type { Tombstone } from './tombstone.ts'

/**
 * Where tombstones are read: those that changed at `sinceMs` of ClickHouse's clock or later. Rejections are
 * handed to whoever asks, who must not go on without an answer.
 */
export type ReadTombstones = (sinceMs: number) => Promise<{ nowMs: number, changed: Tombstone[] }>

export interface TombstoneLeaseOptions {
  read: ReadTombstones
  /** Milliseconds of a clock that never goes back. */
  monotonicMs?: () => number
}

/** A row may become visible later than its own time says; so much is read again. */
const OVERLAP_MS = 30_000

/**
 * The tombstones for those who must not miss one: what `current` gives was read less than LEASE_MS before it
 * was asked for. It costs a query twice a second while it is used, and nothing else; nothing while it is not.
 */
export class TombstoneLease {
  readonly #read: ReadTombstones
  readonly #monotonicMs: () => number
  #known = new Tombstones(0)
  #knownFromMs = -Infinity
  #reading: { fromMs: number, result: Promise<Tombstones> } | undefined

  constructor ({ read, monotonicMs = () => performance.now() }: TombstoneLeaseOptions) {
    this.#read = read
    this.#monotonicMs = monotonicMs
  }

  /**
   * Every tombstone whose insert had ended LEASE_MS before this call. Rejects with what the read rejected
   * with.
   */
  async current (): Promise<Tombstones> {
    const ageMs = this.#monotonicMs() - this.#knownFromMs
    if (ageMs < LEASE_MS / 2) return this.#known
    const result = this.#refresh()
    if (ageMs >= LEASE_MS) return await result
    // Not waited for: where it fails, the next one who needs it is told.
    result.catch(() => undefined)
    return this.#known
  }

  /** One read at a time serves all who ask, but for those who ask when it is too old for them. */
  #refresh (): Promise<Tombstones> {
    const fromMs = this.#monotonicMs()
    if (this.#reading !== undefined && fromMs - this.#reading.fromMs < LEASE_MS) return this.#reading.result
    const reading = { fromMs, result: this.#readFrom(fromMs) }
    this.#reading = reading
    const done = (): void => { if (this.#reading === reading) this.#reading = undefined }
    reading.result.then(done, done)
    return reading.result
  }

  async #readFrom (fromMs: number): Promise<Tombstones> {
    const { nowMs, changed } = await this.#read(this.#known.readAtMs - OVERLAP_MS)
    const next = this.#known.with(nowMs, changed)
    if (fromMs > this.#knownFromMs) {
      this.#known = next
      this.#knownFromMs = fromMs
    }
    return next
  }
}
