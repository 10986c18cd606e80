import { LEASE_MS, Tombstones } from './tombstone.ts'
import type { Tombstone } from './tombstone.ts'

/**
 * Where tombstones are read: those that changed at `sinceMs` of ClickHouse's clock or later; in the first
 * read, from 0 or less, without complete ones whose cut-off is older than `keepMs`. Rejections are handed to
 * whoever asks, who must not go on without an answer.
 */
export type ReadTombstones = (sinceMs: number, keepMs: number) => Promise<TombstonesRead>

export interface TombstonesRead {
  nowMs: number
  changed: Tombstone[]
  /** Newest cut-off among those that were left out; absent where there are none. */
  forgottenUntilMs?: number
}

export interface TombstoneLeaseOptions {
  read: ReadTombstones
  /**
   * How long after its cut-off a complete erasure is kept in memory: as long as the log may hold what it
   * erases. Default: for ever.
   */
  keepMs?: number | undefined
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
  #keepMs: number
  #known = new Tombstones(0)
  #knownFromMs = -Infinity
  #reading: { fromMs: number, result: Promise<Tombstones> } | undefined

  constructor ({ read, keepMs = Infinity, monotonicMs = () => performance.now() }: TombstoneLeaseOptions) {
    this.#read = read
    this.#keepMs = keepMs
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

  /** Tombstones in memory. */
  get size (): number {
    return this.#known.size
  }

  /** Forgets no tombstone from now on, and reads again those that it has forgotten. */
  keepAll (): void {
    if (this.#keepMs === Infinity) return
    this.#keepMs = Infinity
    this.#known = new Tombstones(0)
    this.#knownFromMs = -Infinity
    this.#reading = undefined
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
    const keepMs = this.#keepMs
    const { nowMs, changed, forgottenUntilMs } = await this.#read(this.#known.readAtMs - OVERLAP_MS, keepMs)
    if (keepMs !== this.#keepMs) return await this.#readFrom(fromMs)
    const next = this.#known.with(nowMs, changed, { keptFromMs: nowMs - keepMs, forgottenUntilMs })
    if (fromMs > this.#knownFromMs) {
      this.#known = next
      this.#knownFromMs = fromMs
    }
    return next
  }
}
