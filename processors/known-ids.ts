/**
 * The ids that were stored in one partition below the next batch, for as long as this process owns the
 * partition. What it guarantees: `find` answers as the table would, whatever is in memory, so that every
 * owner of a batch decides the same about it; and about `idsMax` ids stay in memory, at most.
 *
 * Memory knows everything that arrived in one span of time, `[fromMs, toMs)`: read from the table at the
 * first batch that needs it, and added to as batches are stored. What a batch asks for outside of the span is
 * looked up in the table: what was forgotten because memory is full, and the odd record whose arrival is far
 * from that of the others.
 *
 * Decided elsewhere: what a duplicate is (sort-records.ts), when a call is repeated (partition-worker.ts).
 */
import { identityKey } from './identity-key.ts'
import type { StoredId, StoredIds } from './stored-ids.ts'

/**
 * How far ahead of the batch's last arrival memory is filled; what lies farther apart is looked up by itself.
 * Tables are partitioned by the day of arrival, so that a span of a day touches two of their partitions.
 */
const DAY_MS = 86_400_000
/** Memory is swept when so many parts of a window have passed: a sweep looks at every id. */
const SWEEPS_PER_WINDOW = 8

export interface KnownIdsOptions {
  storedIds: StoredIds
  partition: number
  /** Ids in memory, each counted as often as it is stored. */
  idsMax: number
  signal: AbortSignal
}

export interface FindOptions {
  /** Start of the batch: what stands there or later in the log does not count. */
  below: number
  /** Copies count whose arrival is at most so far from that of the event. */
  windowMs: number
}

/** Arrivals of the stored copies of an event, by its key; not all of them are within the window. */
export type StoredArrivals = (key: string) => Iterable<number>

/** By identityKey. An id is stored more than once where its copies are farther apart than the window. */
type Arrivals = Map<string, number | Set<number>>

export class KnownIds {
  readonly #storedIds: StoredIds
  readonly #partition: number
  readonly #idsMax: number
  readonly #signal: AbortSignal
  readonly #arrivals: Arrivals = new Map()
  #size = 0
  #fromMs = 0
  #toMs = 0

  constructor ({ storedIds, partition, idsMax, signal }: KnownIdsOptions) {
    this.#storedIds = storedIds
    this.#partition = partition
    this.#idsMax = idsMax
    this.#signal = signal
  }

  /** Ids in memory, each as often as it is stored. */
  get size (): number {
    return this.#size
  }

  /**
   * When the copies of these events were stored. Rejects where the table does not answer: call it again.
   */
  async find (events: readonly StoredId[], { below, windowMs }: FindOptions): Promise<StoredArrivals> {
    const runs = runsOf(events)
    const newest = runs.at(-1)
    if (newest === undefined) return () => []
    await this.#cover(spanOf(newest, windowMs), below)
    this.#forgetBefore(spanOf(events, windowMs).fromMs, windowMs)
    const older: Arrivals = new Map()
    for (const run of runs) {
      for (const found of await this.#findUnknown(run, { below, windowMs })) add(older, found)
    }
    const arrivals = this.#arrivals
    return function * (key) {
      yield * arrivalsIn(arrivals, key)
      yield * arrivalsIn(older, key)
    }
  }

  /** Adds what was stored since the last `find`. */
  remember (stored: readonly StoredId[]): void {
    for (const id of stored) this.#add(id)
    if (this.#size > this.#idsMax) this.#forgetOldest()
  }

  /** Lets memory know the whole span, as far as there is room. */
  async #cover ({ fromMs, toMs }: Span, below: number): Promise<void> {
    if (fromMs > this.#toMs || toMs < this.#fromMs) {
      this.#arrivals.clear()
      this.#size = 0
      this.#fromMs = fromMs
      this.#toMs = fromMs
    }
    if (toMs > this.#toMs) {
      await this.#load({ fromMs: this.#toMs, toMs: toMs + DAY_MS }, below, this.#idsMax)
      this.#toMs = toMs + DAY_MS
    }
    const room = this.#idsMax - this.#size
    // Where memory is nearly full, what would be read now would be forgotten at once.
    if (fromMs < this.#fromMs && room >= this.#idsMax / 2) {
      await this.#load({ fromMs, toMs: this.#fromMs }, below, room)
    }
  }

  async #load (span: Span, below: number, limit: number): Promise<void> {
    let rows = 0
    let oldestMs = Infinity
    const range = { partition: this.#partition, below, ...span }
    for await (const ids of this.#storedIds.newest(range, limit, this.#signal)) {
      for (const id of ids) {
        this.#add(id)
        oldestMs = Math.min(oldestMs, id.receivedAtMs)
      }
      rows += ids.length
    }
    // At the limit, others that arrived in the same millisecond may have been left out.
    this.#fromMs = rows < limit ? Math.min(this.#fromMs, span.fromMs) : oldestMs + 1
    if (this.#size > this.#idsMax) this.#forgetOldest()
  }

  #add (id: StoredId): void {
    if (add(this.#arrivals, id)) this.#size++
  }

  /** What the table alone knows about a run of events. */
  async #findUnknown (
    events: readonly StoredId[], { below, windowMs }: FindOptions
  ): Promise<readonly StoredId[]> {
    const unknown = events.filter(({ receivedAtMs }) => {
      return receivedAtMs - windowMs < this.#fromMs || receivedAtMs + windowMs >= this.#toMs
    })
    if (unknown.length === 0) return []
    const range = { partition: this.#partition, below, ...spanOf(unknown, windowMs) }
    return await this.#storedIds.find(range, unknown, this.#signal)
  }

  #forgetBefore (cutoffMs: number, windowMs: number): void {
    if (cutoffMs - this.#fromMs < windowMs / SWEEPS_PER_WINDOW) return
    this.#sweep(cutoffMs)
  }

  /** Makes room for a quarter of what memory holds. */
  #forgetOldest (): void {
    const sorted = new Float64Array(this.#size)
    let index = 0
    for (const key of this.#arrivals.keys()) {
      for (const arrivalMs of arrivalsIn(this.#arrivals, key)) sorted[index++] = arrivalMs
    }
    sorted.sort()
    this.#sweep((sorted[sorted.length >> 2] as number) + 1)
  }

  #sweep (cutoffMs: number): void {
    for (const [key, known] of this.#arrivals) {
      // Also of an id that comes again and again: else one would keep all of its arrivals for ever.
      for (const arrivalMs of typeof known === 'number' ? [known] : known) {
        if (arrivalMs >= cutoffMs) continue
        this.#size--
        if (typeof known === 'number') this.#arrivals.delete(key)
        else known.delete(arrivalMs)
      }
      if (typeof known !== 'number' && known.size === 0) this.#arrivals.delete(key)
    }
    this.#fromMs = Math.max(this.#fromMs, cutoffMs)
    this.#toMs = Math.max(this.#toMs, this.#fromMs)
  }
}

interface Span {
  fromMs: number
  toMs: number
}

/** Where copies of these events may have arrived. */
function spanOf (events: readonly StoredId[], windowMs: number): Span {
  const span = { fromMs: Infinity, toMs: -Infinity }
  for (const { receivedAtMs } of events) {
    span.fromMs = Math.min(span.fromMs, receivedAtMs - windowMs)
    span.toMs = Math.max(span.toMs, receivedAtMs + windowMs + 1)
  }
  return span
}

/** Events in order of arrival, cut where more than a day lies between two of them. */
function runsOf (events: readonly StoredId[]): StoredId[][] {
  const runs: StoredId[][] = []
  let previous: StoredId | undefined
  for (const event of events.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs)) {
    if (previous === undefined || event.receivedAtMs - previous.receivedAtMs > DAY_MS) runs.push([])
    runs.at(-1)?.push(event)
    previous = event
  }
  return runs
}

/** Whether that is new. */
function add (arrivals: Arrivals, id: StoredId): boolean {
  const key = identityKey(id)
  const known = arrivals.get(key)
  const { receivedAtMs } = id
  if (known === undefined) arrivals.set(key, receivedAtMs)
  else if (typeof known === 'number') {
    if (known === receivedAtMs) return false
    arrivals.set(key, new Set([known, receivedAtMs]))
  } else {
    if (known.has(receivedAtMs)) return false
    known.add(receivedAtMs)
  }
  return true
}

function arrivalsIn (arrivals: Arrivals, key: string): Iterable<number> {
  const known = arrivals.get(key)
  if (known === undefined) return []
  return typeof known === 'number' ? [known] : known
}
