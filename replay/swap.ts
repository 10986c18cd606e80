/**
 * The moment at which a rebuilt table and the live one change places. Two things must not slip in between.
 *
 * An erasure: a row that it masks in the live table, after the new one was last rid of what is erased, would
 * be back. So nothing is erased from then on until the tables have changed places.
 *
 * An insert that is repeated, by whoever is not sure of it or by a zombie: each table remembers tokens for
 * itself, as those of the view that fills it, and the new one has never seen the live view. So the live view
 * leaves out, for good, what was stored by then. The tables change places at a moment at which no batch is
 * announced; a batch that is announced in the few milliseconds between that look and the swap comes to the
 * new table once, through one view or the other, unless its insert is repeated just then: the counts tell.
 */
import { begunUpTo, betweenBatches, noneBegunBeyond, storedUpTo } from './boundary.ts'
import { ReplayError } from './errors.ts'
import { leaveOutStored } from './replay-tables.ts'
import type { Stream } from '../contract/index.ts'
import type { Delivery } from './boundary.ts'
import type { ReplayStore } from './replay-store.ts'
import type { RebuildTables, rebuildNames } from './replay-tables.ts'

export interface Swap {
  stream: Stream
  tables: RebuildTables
  names: ReturnType<typeof rebuildNames>
  /** What the live view selects. */
  select: string
  isRollup: boolean
  store: ReplayStore
  delivery: Delivery
  swapWaitMsMax: number
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
export async function leaveOutBegun (work: Swap): Promise<void> {
  const begun = await begunUpTo(work.delivery)
  await storedUpTo(work.delivery, begun, work.signal)
  await leaveOut(work, begun)
}

async function exchange (work: Swap, assertHeld: () => Promise<void>): Promise<void> {
  const { store, tables: { database, live }, names, stream, delivery, swapWaitMsMax, signal } = work
  // It keeps the rows that are erased later, should it not be dropped.
  await store.keepOwner(live, stream.name)
  const timeout = AbortSignal.timeout(swapWaitMsMax)
  let stored: Record<string, number>
  do {
    stored = await betweenBatches(delivery, AbortSignal.any([signal, timeout])).catch((error: unknown) => {
      if (!timeout.aborted) throw error
      throw new ReplayError('never_idle',
        `There was no moment without a batch for ${swapWaitMsMax} ms: the same command goes on where it was`)
    })
    await leaveOut(work, stored)
    await assertHeld()
  } while (!await noneBegunBeyond(delivery, stored))
  await store.run([`EXCHANGE TABLES ${database}.${live} AND ${database}.${names.target}`])
}

async function leaveOut (
  { store, tables, select }: Swap, stored: Readonly<Record<string, number>>
): Promise<void> {
  const newestMs = await store.newestArrival(tables.raw)
  await store.run([leaveOutStored(tables, select, { stored, newestMs })])
}
