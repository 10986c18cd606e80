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
    selectWhere(tables, select, beyond(ends))
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
    selectWhere(tables, select, `(${beyond(stored)}) OR (${newer})`)
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

/** The end of the condition of `leaveOutStored`, as ClickHouse shows it. */
const NEWER = String.raw`\(received_at > \w+\(\d+, 'UTC'\)\)`
/** That condition. */
const LEFT_OUT = new RegExp(String.raw` WHERE \(?(_offset >= multiIf\(|true).*? OR ${NEWER}(?= GROUP BY |$)`)

/** The rows from the boundary on, those of partitions that are new since among them. */
export function beyond (ends: Readonly<Record<string, number>>): string {
  const bounds = Object.entries(ends).map(([partition, end]) => {
    return `_partition = ${Number(partition)}, ${Number(end)}`
  })
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
  const [, rest, ...more] = select.split(from(tables))
  return rest !== undefined && more.length === 0 && AFTER_FROM.test(rest)
}

/** What may stand behind the raw table: the rows as they are, or each as several, and groups of them. */
const CLAUSE = '(?:PREWHERE|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|UNION|JOIN)'
const AFTER_FROM = new RegExp(`^(?<arrayJoin> ARRAY JOIN (?:(?! ${CLAUSE} ).)+)?(?: GROUP BY .+)?$`)

/** The same select of some rows of the raw table alone: the condition stands behind an ARRAY JOIN. */
function selectWhere (tables: RebuildTables, select: string, condition: string): string {
  const [head = '', rest = ''] = select.split(from(tables))
  const arrayJoin = AFTER_FROM.exec(rest)?.groups?.['arrayJoin'] ?? ''
  return `${head}${from(tables)}${arrayJoin} WHERE ${condition}${rest.slice(arrayJoin.length)}`
}

function from ({ database, raw }: RebuildTables): string {
  return `FROM ${database}.${raw}`
}
