/**
 * Carries erasures out, one runner at a time in the whole system. What it knows is in the tables alone, so it
 * goes on wherever it was killed:
 *
 * waiting → (the processors have passed the cut-off) → collecting: the rows' positions are written down,
 * masked by one mutation for each table, counted to be gone → masked: reads need not hide them any more → the
 * parts are written anew without them, and counted again → removed.
 *
 * An erasure that fails does not hold up the others: what fails together is tried again by halves, until what
 * fails is alone. It is set aside until the next look for work.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { RowsLeftError, UnknownStreamError } from './errors.ts'
import { withErasureLock } from './erasure-lock.ts'
import { ErasureSteps } from './erasure-steps.ts'
import { EFFECTIVE_AFTER_MS, LEASE_MS } from './tombstone.ts'
import type { ClickHouseClient, LockTiming } from '../clickhouse/index.ts'
import type { ErasureStore } from './erasure-store.ts'
import type { ErasureMetrics } from './metrics.ts'
import type { PersonalTable } from './personal-tables.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { Tombstone } from './tombstone.ts'

/** What the job knows of the log. Both calls reject where it does not answer: the job tries again. */
export interface DeliveryProgress {
  /** Ends of a stream's partitions. */
  ends: (stream: string) => Promise<ReadonlyMap<number, number>>
  /** How far the processors have stored each partition. */
  stored: (stream: string) => Promise<ReadonlyMap<number, number>>
}

export interface ErasureJobOptions {
  client: ClickHouseClient
  config: { database: string, cluster: string | undefined }
  store: ErasureStore
  hasher: SubjectHasher
  /** Those of the schema. */
  tables: readonly PersonalTable[]
  progress: DeliveryProgress
  metrics: ErasureMetrics
  log: { info: (fields: object, message: string) => void, warn: (fields: object, message: string) => void }
  /** Milliseconds between two looks for work that nobody announced. */
  pollMs?: number
  lockTiming?: LockTiming
}

/** Erasures of one batch, which share its mutations. */
export const BATCH_ERASURES_MAX = 500
/** Failures of one look for work after which no more halves are tried; 10 find one of a whole batch. */
const HALVED_FAILURES_MAX = 50
const POLL_MS = 5_000
const PROGRESS_POLL_MS = 200

export interface ErasureJob {
  /** There is work: do not wait for the next look. */
  poke: () => void
  /** Ends between two steps, and resolves then. */
  stop: () => Promise<void>
}

/** Looks for work until it is stopped. A fault is logged, and what failed is tried again. */
export function startErasureJob (options: ErasureJobOptions): ErasureJob {
  const { log, metrics, pollMs = POLL_MS } = options
  const stopping = new AbortController()
  let wake = Promise.withResolvers<void>()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const woken = wake.promise
      await carryOut(options, stopping.signal).catch((error: unknown) => {
        if (stopping.signal.aborted) return
        metrics.failed()
        log.warn({ err: error }, 'erasure failed, it will be tried again')
      })
      const idle = new AbortController()
      const signal = AbortSignal.any([idle.signal, stopping.signal])
      await Promise.race([woken, sleep(pollMs, undefined, { signal }).catch(() => undefined)])
      idle.abort()
    }
  }
  const running = run()
  return {
    poke: () => {
      wake.resolve()
      wake = Promise.withResolvers<void>()
    },
    stop: async () => {
      stopping.abort(new Error('The job stops'))
      await running
    }
  }
}

/** Carries out every open erasure, but for those that fail. */
export async function carryOut (options: ErasureJobOptions, signal: AbortSignal): Promise<void> {
  const { client, config, store, metrics, lockTiming } = options
  metrics.observe(await store.open())
  if (metrics.open.length === 0) return
  await withErasureLock({ client, config, timing: lockTiming, signal }, async (assertHeld) => {
    const steps = new ErasureSteps({ ...options, cluster: config.cluster, signal })
    const run = new Run(options, { steps, assertHeld, signal })
    while (true) {
      const open = await store.open()
      metrics.observe(open)
      if (!await run.next(open)) return
    }
  })
}

interface RunOptions {
  steps: ErasureSteps
  /** Throws where another process has taken the lock over. */
  assertHeld: () => Promise<void>
  signal: AbortSignal
}

class Run {
  readonly #options: ErasureJobOptions
  readonly #steps: ErasureSteps
  readonly #assertHeld: () => Promise<void>
  readonly #signal: AbortSignal
  readonly #known: ReadonlySet<string>
  /** Ids of erasures that failed. */
  readonly #aside = new Set<string>()
  #failures = 0
  #isHeld = true

  constructor (options: ErasureJobOptions, { steps, assertHeld, signal }: RunOptions) {
    this.#options = options
    this.#steps = steps
    this.#assertHeld = assertHeld
    this.#signal = signal
    this.#known = new Set(options.tables.flatMap(({ streams }) => streams))
  }

  /**
   * One step of some of them; false where there is nothing left to do. First what was begun, then what is
   * new: so that no batch waits behind later ones for ever.
   */
  async next (open: readonly Tombstone[]): Promise<boolean> {
    const able = open.filter((erasure) => this.#isAble(erasure))
    if (able.length === 0) return false
    await this.#check()
    const masked = able.filter(({ state }) => state === 'masked')
    const batch = able.find(({ state }) => state === 'collecting')?.batch
    if (masked.length > 0) await this.#byHalves(masked, (some) => this.#remove(some))
    else if (batch !== undefined) {
      const begun = able.filter((erasure) => erasure.batch === batch)
      await this.#byHalves(begun, (some) => this.#mask(some, batch))
    } else await this.#byHalves(able.slice(0, BATCH_ERASURES_MAX), (some) => this.#begin(some))
    return true
  }

  /** Not those that failed before, nor those of a stream that only a newer release can know. */
  #isAble (erasure: Tombstone): boolean {
    if (this.#aside.has(erasure.id)) return false
    const unknown = erasure.streams.find((stream) => !this.#known.has(stream))
    if (unknown === undefined) return true
    this.#setAside([erasure], new UnknownStreamError(`This release has no stream ${unknown}`))
    return false
  }

  /** Does a step for all, or where that fails for each half: what fails alone is set aside. */
  async #byHalves (
    erasures: readonly Tombstone[], step: (some: readonly Tombstone[]) => Promise<void>
  ): Promise<void> {
    try {
      await step(erasures)
    } catch (error) {
      this.#failures += 1
      if (this.#signal.aborted || !this.#isHeld) throw error
      const isLast = erasures.length === 1 || this.#failures > HALVED_FAILURES_MAX
      if (isLast) return this.#setAside(erasures, error)
      const half = Math.ceil(erasures.length / 2)
      await this.#byHalves(erasures.slice(0, half), step)
      await this.#byHalves(erasures.slice(half), step)
    }
  }

  #setAside (erasures: readonly Tombstone[], error: unknown): void {
    const { log, metrics } = this.#options
    const ids = erasures.map(({ id }) => id)
    for (const id of ids) this.#aside.add(id)
    metrics.failed()
    log.warn({ err: error, erasures: ids }, 'erasure failed, it will be tried again; the others go on')
  }

  async #check (): Promise<void> {
    this.#signal.throwIfAborted()
    try {
      await this.#assertHeld()
    } catch (error) {
      this.#isHeld = false
      throw error
    }
  }

  async #begin (erasures: readonly Tombstone[]): Promise<void> {
    await this.#passed(erasures)
    const fresh = await this.#options.store.newestBatch() + 1
    await this.#check()
    await this.#options.store.advance(erasures, fresh, 'collecting')
  }

  /**
   * Resolves when no processor can store a row of these erasures any more. A batch that was begun without
   * them was read from the log before they were effective and known everywhere: it ends below what is the
   * log's end now.
   */
  async #passed (erasures: readonly Tombstone[]): Promise<void> {
    const newestMs = erasures.reduce((newest, { insertedAtMs }) => Math.max(newest, insertedAtMs), 0)
    const knownMs = newestMs + EFFECTIVE_AFTER_MS + 2 * LEASE_MS
    for (let nowMs = await this.#steps.now(); nowMs <= knownMs; nowMs = await this.#steps.now()) {
      await sleep(knownMs - nowMs + 1, undefined, { signal: this.#signal })
    }
    const { progress } = this.#options
    for (const stream of new Set(erasures.flatMap(({ streams }) => streams))) {
      const ends = await progress.ends(stream)
      while (true) {
        const stored = await progress.stored(stream)
        if ([...ends].every(([partition, end]) => (stored.get(partition) ?? 0) >= end)) break
        await this.#check()
        await sleep(PROGRESS_POLL_MS, undefined, { signal: this.#signal })
      }
    }
  }

  async #mask (erasures: readonly Tombstone[], batch: number): Promise<void> {
    const { store, log } = this.#options
    const tables = await this.#tablesOf(erasures)
    for (const table of tables) {
      await this.#check()
      await this.#steps.collect(table, batch, erasures)
    }
    const collected = await this.#steps.collected([batch])
    for (const table of tables.filter(({ name }) => collected.has(name))) {
      await this.#check()
      await this.#steps.mask(table, batch)
    }
    await this.#assertNone(tables, erasures, 'given')
    const maskedAtMs = await this.#steps.now()
    await this.#check()
    await store.writeTables(erasures.flatMap(({ id, streams }) => {
      const own = tables.filter((table) => table.streams.some((stream) => streams.includes(stream)))
      return own.map(({ name }) => ({
        erasureId: id,
        table: name,
        rowsMasked: collected.get(name)?.get(id) ?? 0,
        rowsLeft: 0,
        maskedAtMs,
        removedAtMs: undefined
      }))
    }), batch, 'masked')
    await store.advance(erasures, batch, 'masked')
    log.info({ batch, erasures: erasures.length }, 'erased rows are masked')
  }

  async #remove (erasures: readonly Tombstone[]): Promise<void> {
    const { store, log } = this.#options
    const tables = await this.#tablesOf(erasures)
    const batches = [...new Set(erasures.map(({ batch }) => batch))]
    // In tables without rows of theirs too: a replay that was killed may have masked some and no more.
    for (const table of tables) await this.#steps.removeMasked(table, () => this.#check())
    await this.#assertNone(tables, erasures, 'held')
    const removedAtMs = await this.#steps.now()
    const written = await store.tablesOf(erasures.map(({ id }) => id))
    for (const batch of batches) {
      const own = erasures.filter((erasure) => erasure.batch === batch)
      const ids = new Set(own.map(({ id }) => id))
      const rows = written.filter(({ erasureId }) => ids.has(erasureId))
      await this.#check()
      await store.writeTables(rows.map((row) => ({ ...row, removedAtMs })), batch, 'removed')
      await store.advance(own, batch, 'removed')
    }
    log.info({ batches, erasures: erasures.length }, 'erased rows are removed from disk')
  }

  /** The tables of the schema, and those that replays have made until now. */
  async #tablesOf (erasures: readonly Tombstone[]): Promise<PersonalTable[]> {
    const named = new Set(erasures.flatMap(({ streams }) => streams))
    const { tables } = this.#options
    const all = [...tables, ...await this.#steps.replayTables(tables)]
    return all.filter(({ streams }) => streams.some((stream) => named.has(stream)))
  }

  /** What is left is a fault of ours: the erasure stays open, and is tried again. */
  async #assertNone (
    tables: readonly PersonalTable[], erasures: readonly Tombstone[], which: 'given' | 'held'
  ): Promise<void> {
    for (const table of tables) {
      await this.#check()
      const left = await this.#steps.count(table, erasures, which)
      if (left > 0) throw new RowsLeftError(`${table.name} has ${left} rows left (${which})`)
    }
  }
}
