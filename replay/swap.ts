/**
 * The moment at which a rebuilt table and the live one change places. Two things must not slip in between.
 *
 * An erasure: a row that it masks in the live table, after the new one was last rid of what is erased, would
 * be back. So nothing is erased from then on until the tables have changed places.
 *
 * An insert that is repeated, by whoever is not sure of it or by a zombie: each table remembers tokens for
 * itself, as those of the view that fills it, and the new one has never seen the live view. So the live view
 * leaves out, for good, what was stored by then. Nor may a batch be inserted before the swap, through one
 * view, and repeated after it, through the other. So the new table's view is closed first to what nobody has
 * announced yet: an insert of it is refused, and repeated by the processors until the tables have changed
 * places. What was announced is waited for, and the live view is changed only then. Every insert that began
 * before the view was closed is of a batch that was announced before the look that follows.
 *
 * The view is closed for some seconds at most, by the database's clock, so that a command that dies here
 * holds up nobody. Where it stands still for longer than that right before the swap, the counts tell.
 */
import { begunUpTo, storedUpTo } from './boundary.ts'
import { ReplayError } from './errors.ts'
import { changeLiveView, leaveOutStored } from './replay-tables.ts'
import type { Stream } from '../contract/index.ts'
import type { Delivery } from './boundary.ts'
import type { ReplayStore } from './replay-store.ts'
import type { Closing, RebuildTables, rebuildNames } from './replay-tables.ts'

export interface Swap {
  stream: Stream
  tables: RebuildTables
  names: ReturnType<typeof rebuildNames>
  /** What the live view selects. */
  select: string
  /** By partition: the offset from which on the target has what the processors insert. */
  ends: Readonly<Record<string, number>>
  isRollup: boolean
  store: ReplayStore
  delivery: Delivery
  swapWaitMsMax: number
  /** How long inserts are refused at most, in milliseconds. */
  closedMsMax: number
  signal: AbortSignal
}

/**
 * Resolves when the tables have changed places. Throws ReplayError `erasure_under_way` or `never_idle`,
 * before which nothing has changed: the same call may be made again.
 */
export async function swap (work: Swap): Promise<void> {
  const { store, tables, names, isRollup, swapWaitMsMax, signal } = work
  if (isRollup) return await exchange(work, async () => {})
  await store.whileNothingIsErased({ waitMsMax: swapWaitMsMax, signal }, async (assertHeld) => {
    await store.removeErased(names.target, [tables.raw, tables.live], signal)
    await exchange(work, assertHeld)
  })
}

/** After a swap: what had been announced until then may not be stored by a later insert either. */
export async function leaveOutBegun (work: Omit<Swap, 'ends'>): Promise<void> {
  const { store, tables, select, delivery, signal } = work
  const stored = await begunUpTo(delivery)
  await storedUpTo(delivery, stored, signal)
  const newestMs = await store.newestArrival(tables.raw)
  await store.run([leaveOutStored(tables, select, { stored, newestMs })])
}

async function exchange (work: Swap, assertHeld: () => Promise<void>): Promise<void> {
  const { store, tables, names, stream, select, ends, swapWaitMsMax } = work
  const { database, live } = tables
  // It keeps the rows that are erased later, should it not be dropped.
  await store.keepOwner(live, stream.name)
  const timeout = AbortSignal.timeout(swapWaitMsMax)
  while (!timeout.aborted) {
    const closing = await close(work)
    let isSwapped = false
    if (await isStoredInTime(work, closing)) {
      const newestMs = await store.newestArrival(tables.raw)
      await assertHeld()
      if (await store.nowMs() < closing.untilMs) {
        await store.run([leaveOutStored(tables, select, { stored: closing.from, newestMs })])
        await store.run([`EXCHANGE TABLES ${database}.${live} AND ${database}.${names.target}`])
        isSwapped = true
      }
    }
    await store.run([changeLiveView(tables, select, ends)])
    if (isSwapped) return
  }
  throw new ReplayError('never_idle',
    `What was being inserted was not stored for ${swapWaitMsMax} ms: the same command goes on where it was`)
}

/** Every insert of a record from the offsets on that it names is refused, and was from its beginning. */
async function close ({ store, tables, select, ends, delivery, closedMsMax }: Swap): Promise<Closing> {
  const untilMs = await store.nowMs() + closedMsMax
  await store.run([changeLiveView(tables, select, ends, { from: await begunUpTo(delivery), untilMs })])
  const closing = { from: await begunUpTo(delivery), untilMs }
  await store.run([changeLiveView(tables, select, ends, closing)])
  return closing
}

/** Whether everything that a closing lets through was stored while it lasted. */
async function isStoredInTime (
  { delivery, signal, closedMsMax }: Swap, { from }: Closing
): Promise<boolean> {
  const timeout = AbortSignal.timeout(closedMsMax)
  try {
    await storedUpTo(delivery, from, AbortSignal.any([signal, timeout]))
    return true
  } catch (error) {
    if (signal.aborted || !timeout.aborted) throw error
    return false
  }
}
