/**
 * Carries erasures out, one runner at a time in the whole system. What it knows is in the tables alone, so it
 * goes on wherever it was killed:
 *
 * waiting → (the processors have passed the cut-off) → collecting: the rows' positions are written down,
 * masked by one mutation for each table, counted to be gone → masked: reads need not hide them any more → the
 * parts are written anew without them, and counted again → removed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
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
  const { log, pollMs = POLL_MS } = options
  const stopping = new AbortController()
  let wake = Promise.withResolvers<void>()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const woken = wake.promise
      await carryOut(options, stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) log.warn({ err: error }, 'erasure failed, it will be tried again')
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

/** Carries out every open erasure. */
export async function carryOut (options: ErasureJobOptions, signal: AbortSignal): Promise<void> {
  const { client, config, store, metrics, lockTiming } = options
  metrics.observe(await store.open())
  if (metrics.open.length === 0) return
  await withErasureLock({ client, config, timing: lockTiming, signal }, async (assertHeld) => {
    const check = async (): Promise<void> => {
      signal.throwIfAborted()
      await assertHeld()
    }
    const steps = new ErasureSteps({ ...options, cluster: config.cluster, signal })
    const run = new Run(options, steps, check, signal)
    while (true) {
      const open = await store.open()
      metrics.observe(open)
      if (open.length === 0) return
      await check()
      await run.next(open)
    }
  })
}

class Run {
  readonly #options: ErasureJobOptions
  readonly #steps: ErasureSteps
  readonly #check: () => Promise<void>
  readonly #signal: AbortSignal

  constructor (
    options: ErasureJobOptions, steps: ErasureSteps, check: () => Promise<void>, signal: AbortSignal
  ) {
    this.#options = options
    this.#steps = steps
    this.#check = check
    this.#signal = signal
  }

  /** First what was begun, then what is new: so that no batch waits behind later ones for ever. */
  async next (open: readonly Tombstone[]): Promise<void> {
    const masked = open.filter(({ state }) => state === 'masked')
    if (masked.length > 0) return await this.#remove(masked)
    const batch = open.find(({ state }) => state === 'collecting')?.batch
    if (batch !== undefined) return await this.#mask(open.filter((erasure) => erasure.batch === batch), batch)
    const waiting = open.slice(0, BATCH_ERASURES_MAX)
    await this.#passed(waiting)
    const fresh = await this.#options.store.newestBatch() + 1
    await this.#check()
    await this.#options.store.advance(waiting, fresh, 'collecting')
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
    for (const table of tables) await this.#steps.removeMasked(table, this.#check)
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

/** Rows of an erased subject are still in a table after a step that was to take them away. */
export class RowsLeftError extends Error {
  readonly code = 'erasure_rows_left'
  readonly retryable = true
  override readonly name = 'RowsLeftError'
}
