/**
 * Rebuilds a table that a view fills from a stream's raw table, out of the log, beside the live one, while
 * the processors go on; then lets the two change places.
 *
 * The boundary is what makes it exact. The log is read up to some offsets; the processors' inserts from these
 * offsets on flow into the new table through a view of its own. No record may be on both sides, or on none:
 * so the offsets are taken first, then the view is created, and then it is checked that no batch beyond the
 * offsets had been announced until now; otherwise all of it is done again.
 *
 * What arrived before the log begins is copied from the live table, day by day of arrival, since a rollup
 * knows no more than the day.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import { ALL_ARRIVALS } from './arrivals.ts'
import { betweenBatches, endsOf, noneBegunBeyond, storedUpTo } from './boundary.ts'
import { ReplayError } from './errors.ts'
import { readLog } from './read-log.ts'
import {
  createLiveView, createRebuild, dropRebuild, isRebuildable, rebuildNames, selectOfView
} from './replay-tables.ts'
import { ERASURE_WAIT_MS_MAX } from './replay-store.ts'
import { leaveOutBegun, swap } from './swap.ts'
import type { Stream } from '../contract/index.ts'
import type { Delivery } from './boundary.ts'
import type { ReadLogOptions, ReplaySources } from './read-log.ts'
import type { CountedTable, ReplayStore } from './replay-store.ts'
import type { RebuildTables, ReplayState } from './replay-tables.ts'
import type { Swap } from './swap.ts'

const BOUNDARY_TRIES_MAX = 50
/** Counts differ for a moment while an insert is under way. */
const COUNT_PAUSE_MS = 500
const COUNT_MS_MAX = 30_000
const DAY_MS = 86_400_000

export interface RebuildOptions extends ReplaySources {
  stream: Stream
  /** The table to rebuild. */
  live: string
  database: string
  store: ReplayStore
  onProgress: ReadLogOptions['onProgress']
  signal: AbortSignal
  /** Epoch milliseconds. */
  now: () => number
  /** How long the counts may differ, in milliseconds. Default 30 s. */
  countMsMax?: number
  /** How long the swap waits for a running erasure, and then for a moment between batches. Default 60 s. */
  swapWaitMsMax?: number
}

export interface ReplayReport {
  table: string
  /** Events in the table that were read from the log, or came in meanwhile. */
  events: number
  /** Arrivals before it were copied from the table as it was, or are not there. */
  fromMs: number
  /** An earlier run had begun it. */
  resumed: boolean
}

interface Rebuild extends RebuildOptions, Swap {
  delivery: Delivery
  swapWaitMsMax: number
  units: readonly string[]
}

/** Throws ReplayError; rejects when aborted, after which the same call goes on where it was. */
export async function rebuild (options: RebuildOptions): Promise<ReplayReport> {
  const work = await prepare(options)
  const { store, names, live } = work
  const found = await store.stateOf(names.target)
  const resumed = found?.phase === 'reading'
  const state = resumed ? found : await begin(work)
  await readLog({ ...work, table: names.input, state })
  await compareCounts(work, names.target, state)
  await swap(work)
  await leaveOutBegun(work)
  const events = await compareCounts(work, live, state)
  await store.forgetState(live)
  await store.run(dropRebuild(work.tables))
  return { table: live, events, fromMs: state.fromMs, resumed }
}

async function prepare (options: RebuildOptions): Promise<Rebuild> {
  const { stream, live, database, store, eventLog, config } = options
  const tables: RebuildTables = { database, raw: stream.tables.raw, live }
  const view = `${live}_view`
  const found = await store.selectOf(view)
  const select = found === undefined ? '' : selectOfView(tables, found)
  if (!isRebuildable(tables, select)) {
    const { bySubject, byMinute, byTime } = stream.tables
    const offered = [bySubject, byMinute, byTime].filter((table) => table !== undefined).join(', ') || 'no table'
    throw new ReplayError('no_such_view',
      `${live} is not filled by a view ${view} from ${stream.tables.raw}; of this stream can be rebuilt: ${offered}`)
  }
  const columns = await store.columnsOf(live)
  return {
    ...options,
    tables,
    names: rebuildNames(tables),
    select,
    delivery: { eventLog, group: config.group, topic: stream.topic },
    isRollup: !columns.includes('_offset'),
    units: await store.unitsOf(live),
    swapWaitMsMax: options.swapWaitMsMax ?? ERASURE_WAIT_MS_MAX
  }
}

/** Creates everything anew, with its boundary, and copies what the log does not hold. */
async function begin (work: Rebuild): Promise<ReplayState> {
  const { store, tables, names, select, delivery, signal } = work
  await store.run([...dropRebuild(tables), ...createRebuild(tables, work.stream.name, select)])
  const ends = await settleBoundary(work)
  // Until then the raw table and the live one may lack rows that the log has.
  await storedUpTo(delivery, ends, signal)
  const state: ReplayState = {
    stream: work.stream.name,
    id: randomUUID(),
    ends,
    fromMs: await logReachesBackTo(work),
    toMs: ALL_ARRIVALS.toMs,
    erased: await store.erasedFrom(tables.raw),
    phase: 'copying'
  }
  await store.keepState(names.target, state)
  if (state.fromMs > 0) {
    await store.copyBefore(state.fromMs, { from: countedTable(work, work.live), to: names.target, ends })
  }
  const reading: ReplayState = { ...state, phase: 'reading' }
  await store.keepState(names.target, reading)
  return reading
}

async function settleBoundary ({ store, tables, names, select, delivery, signal }: Rebuild) {
  for (let attempt = 0; attempt < BOUNDARY_TRIES_MAX; attempt++) {
    signal.throwIfAborted()
    const ends = await endsOf(delivery)
    await store.run([createLiveView(tables, select, ends)])
    if (await noneBegunBeyond(delivery, ends)) return ends
    // Some of the batch may have come through the view: it, and what is under way, must leave no trace.
    await store.run([`DROP TABLE ${tables.database}.${names.liveView} SYNC`])
    await betweenBatches(delivery, signal)
    await store.run([`TRUNCATE TABLE ${tables.database}.${names.target}`])
  }
  throw new ReplayError('boundary_unsettled', 'The processors were always ahead of the boundary: try again')
}

/**
 * The instant from which on the log has every arrival: 0 where it has lost nothing, else the midnight after
 * the newest arrival that it has lost.
 */
async function logReachesBackTo ({ eventLog, stream, store, now }: Rebuild): Promise<number> {
  let fromMs = 0
  for (const { partition, begin } of await eventLog.offsets(stream.topic)) {
    if (begin === 0) continue
    const lostMs = await store.newestArrivalBelow(stream.tables.raw, partition, begin)
    if (lostMs !== undefined) fromMs = Math.max(fromMs, (Math.floor(lostMs / DAY_MS) + 1) * DAY_MS)
  }
  if (fromMs > now()) {
    throw new ReplayError('log_too_short', 'The log does not reach back to the beginning of this day (UTC)')
  }
  return fromMs
}

function countedTable ({ isRollup, units }: Rebuild, name: string): CountedTable {
  return { name, isRollup, units }
}

/**
 * Waits until a table has as many events as the raw one: how many. Subjects that are erased meanwhile are
 * erased from it too; a rollup, which holds none, may have counted their events before. Throws ReplayError
 * where the counts never meet.
 */
async function compareCounts (work: Rebuild, name: string, state: ReplayState): Promise<number> {
  const { store, stream, signal, countMsMax = COUNT_MS_MAX } = work
  const raw: CountedTable = { name: stream.tables.raw, isRollup: false }
  let counts: [number, number] = [0, 0]
  for (let attempt = 0; attempt * COUNT_PAUSE_MS < countMsMax; attempt++) {
    if (!work.isRollup) await store.removeErased(name, [raw.name, work.live], signal)
    counts = await store.countsOf([raw, countedTable(work, name)], state)
    const surplus = counts[1] - counts[0]
    if (surplus === 0) return counts[1]
    const erased = work.isRollup ? await store.erasedFrom(raw.name) - state.erased : 0
    if (surplus > 0 && surplus <= erased) return counts[1]
    await delay(COUNT_PAUSE_MS, undefined, { signal })
  }
  const events = Number.isNaN(counts[1]) ? 'not as many events by each unit' : `${counts[1]} events`
  throw new ReplayError('counts_differ', `${name} has ${events}, and ${raw.name} has ${counts[0]}`)
}
