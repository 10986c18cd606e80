/** Reads what arrived in some time out of the log into a new table, shaped like the stream's raw table. */
import { randomUUID } from 'node:crypto'
import { endsOf } from './boundary.ts'
import { ReplayError } from './errors.ts'
import { readLog } from './read-log.ts'
import { ERASURE_WAIT_MS_MAX } from './replay-store.ts'
import { ownedBy } from './replay-tables.ts'
import type { Stream } from '../contract/index.ts'
import type { Arrivals } from './arrivals.ts'
import type { ReadLogOptions, ReplaySources } from './read-log.ts'
import type { ReplayReport } from './rebuild.ts'
import type { ReplayStore } from './replay-store.ts'
import type { ReplayState } from './replay-tables.ts'

const TABLE_NAME = /^[a-z][a-z0-9_]{0,62}$/

export interface ReplayIntoOptions extends ReplaySources {
  stream: Stream
  /** Name of the table; lower-case letters, digits and underscores. */
  into: string
  arrivals: Arrivals
  database: string
  store: ReplayStore
  onProgress: ReadLogOptions['onProgress']
  signal: AbortSignal
  /** How long it waits for a running erasure, in milliseconds. Default 60 s. */
  erasureWaitMsMax?: number
}

export interface IntoReport extends ReplayReport {
  /** The raw table, and the events that it has of the same records of the log. */
  raw: { name: string, events: number }
}

/**
 * Takes everything that is in the log when it begins; the table stays, and nothing flows into it any more.
 * How many events the raw table has of the same records is said and not judged: it may lack some, which is
 * what such a table is for.
 * Throws ReplayError; rejects when aborted, after which the same call goes on where it was.
 */
export async function replayInto (options: ReplayIntoOptions): Promise<IntoReport> {
  const { store, stream, into, arrivals, database, signal } = options
  if (!TABLE_NAME.test(into)) throw new ReplayError('invalid_name', `${into} is no name for a table`)
  const found = await store.stateOf(into)
  if (found === undefined && await store.exists(into)) {
    throw new ReplayError('table_exists', `${database}.${into} exists, and no replay into it is under way: name another one, or drop it`)
  }
  const state = found ?? await begin(options)
  if (state.fromMs !== arrivals.fromMs || state.toMs !== arrivals.toMs) {
    throw new ReplayError('other_range', `${into} was begun with other arrivals: drop it, or name the same ones`)
  }
  await readLog({ ...options, table: into, state })
  // What was erased while it was read may have come after erasure had looked.
  const waitMsMax = options.erasureWaitMsMax ?? ERASURE_WAIT_MS_MAX
  await store.whileNothingIsErased({ waitMsMax, signal }, async () => {
    await store.removeErased(into, [stream.tables.raw], signal)
  })
  const table = { name: into, isRollup: false }
  const [events] = await store.countsOf([table, table], state)
  const raw = { name: stream.tables.raw, events: await store.storedOf(stream.tables.raw, state) }
  await store.keepOwner(into, stream.name)
  return { table: into, events, raw, fromMs: state.fromMs, resumed: found !== undefined }
}

async function begin (options: ReplayIntoOptions): Promise<ReplayState> {
  const { eventLog, stream, config, database, into, store, arrivals } = options
  const ends = await endsOf({ eventLog, group: config.group, topic: stream.topic })
  const owner = { stream: stream.name }
  const state: ReplayState = { ...owner, id: randomUUID(), ends, erased: 0, phase: 'reading', ...arrivals }
  await store.run([`CREATE TABLE ${database}.${into} AS ${database}.${stream.tables.raw} ${ownedBy(stream.name)}`])
  await store.keepState(into, state)
  return state
}
