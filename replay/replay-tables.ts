/**
 * The tables of a replay and their SQL. A replay has a target, a table that nobody reads yet; its state is
 * the target's comment, so that it lives and dies with it.
 *
 * A rebuild fills its target through two views: one on what is read from the log (an input table that keeps
 * nothing), one on what the processors go on to insert into the raw table, from the boundary offsets on. Both
 * select what the live view selects.
 */
import type { ReplayTableComment } from '../erasure/index.ts'
import type { Arrivals } from './arrivals.ts'

/** What a replay has decided and done; kept so that it can be resumed. */
export interface ReplayState extends Arrivals, ReplayTableComment {
  /** Names its consumer group. */
  id: string
  /** By partition: the offset up to which the log is read. */
  ends: Readonly<Record<string, number>>
  /** Positions of the stream that had been erased when it began. */
  erased: number
  /** `copying`: rows that are older than the log are being copied, which cannot be resumed. */
  phase: 'copying' | 'reading'
}

export interface RebuildTables {
  database: string
  raw: string
  /** The table that is rebuilt. */
  live: string
}

/** Names of what a rebuild creates. */
export function rebuildNames ({ live }: RebuildTables) {
  return {
    target: `${live}__replay`,
    input: `${live}__replay_input`,
    inputView: `${live}__replay_input_view`,
    liveView: `${live}__replay_live_view`
  }
}

/** Has a table say whose rows it holds, so that erasure finds it, and nothing of a replay's state. */
export function ownedBy (stream: string): string {
  const comment: ReplayTableComment = { stream }
  return `COMMENT '${JSON.stringify(comment)}'`
}

/** Creates the target and its input; the view on the live inserts comes later, with the boundary. */
export function createRebuild (tables: RebuildTables, stream: string, select: string): string[] {
  const { database, raw, live } = tables
  const { target, input, inputView } = rebuildNames(tables)
  return [
    `CREATE TABLE ${database}.${target} AS ${database}.${live} ${ownedBy(stream)}`,
    `CREATE TABLE ${database}.${input} AS ${database}.${raw} ENGINE = Null`,
    `CREATE MATERIALIZED VIEW ${database}.${inputView} TO ${database}.${target} AS ` +
      select.replace(from(tables), `FROM ${database}.${input}`)
  ]
}

/** Lets what the processors insert from the boundary on flow into the target too. */
export function createLiveView (
  tables: RebuildTables, select: string, ends: Readonly<Record<string, number>>
): string {
  const { database } = tables
  const { target, liveView } = rebuildNames(tables)
  return `CREATE MATERIALIZED VIEW ${database}.${liveView} TO ${database}.${target} AS ` +
    select.replace(from(tables), `${from(tables)} WHERE ${beyond(ends)}`)
}

/**
 * Has the live view leave out what is stored already: the records below `stored`, as far as they arrived
 * until `newestMs`. A log that was emptied begins again at offset 0 with arrivals that are newer.
 */
export function leaveOutStored (
  tables: RebuildTables, select: string, { stored, newestMs }: StoredRecords
): string {
  const { database, live } = tables
  const newer = `received_at > fromUnixTimestamp64Milli(${newestMs}, 'UTC')`
  return `ALTER TABLE ${database}.${live}_view MODIFY QUERY ` +
    select.replace(from(tables), `${from(tables)} WHERE (${beyond(stored)}) OR (${newer})`)
}

export interface StoredRecords {
  /** By partition: the offset below which everything is stored. */
  stored: Readonly<Record<string, number>>
  /** Newest arrival among them, epoch milliseconds. */
  newestMs: number
}

/** What a view selects without the condition that an earlier rebuild may have put in. */
export function selectOfView (tables: RebuildTables, select: string): string {
  const [head = '', rest] = select.split(from(tables))
  return rest === undefined ? select : `${head}${from(tables)}${rest.replace(LEFT_OUT, '')}`
}

/** As ClickHouse shows the condition of `leaveOutStored`. */
const LEFT_OUT = /^ WHERE \(?(_offset >= multiIf\(|true).*? OR \(received_at > \w+\(\d+, 'UTC'\)\)/

/** The rows from the boundary on, those of partitions that are new since among them. */
export function beyond (ends: Readonly<Record<string, number>>): string {
  const bounds = Object.entries(ends).map(([partition, end]) => `_partition = ${Number(partition)}, ${Number(end)}`)
  return bounds.length === 0 ? 'true' : `_offset >= multiIf(${bounds.join(', ')}, 0)`
}

/** Removes whatever a rebuild has created, views first. */
export function dropRebuild (tables: RebuildTables): string[] {
  const { database } = tables
  const { target, input, inputView, liveView } = rebuildNames(tables)
  return [liveView, inputView, input, target].map((name) => `DROP TABLE IF EXISTS ${database}.${name} SYNC`)
}

/** Whether a view selects straight from the raw table, so that a condition can be put in. */
export function isRebuildable (tables: RebuildTables, select: string): boolean {
  const parts = select.split(from(tables))
  const rest = parts[1]?.trim()
  return parts.length === 2 && (rest === '' || rest?.startsWith('GROUP BY') === true)
}

function from ({ database, raw }: RebuildTables): string {
  return `FROM ${database}.${raw}`
}
