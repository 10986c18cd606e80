/** What a replay asks of ClickHouse. Names come from the catalogue or were checked; values are parameters. */
import { TableMutations, withErasureLock } from '../erasure/index.ts'
import { ReplayError } from './errors.ts'
import { beyond, ownedBy } from './replay-tables.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { Arrivals } from './arrivals.ts'
import type { ReplayState } from './replay-tables.ts'

/** How long a replay waits for a running erasure. */
export const ERASURE_WAIT_MS_MAX = 60_000

/** How a table says when a row arrived, and how many events a row is. */
export interface CountedTable {
  name: string
  /** A rollup keeps the day of arrival and a count. */
  isRollup: boolean
  /** Of a rollup that counts each event once by each of several units of time: they. */
  units?: readonly string[]
}

export class ReplayStore {
  readonly #client: ClickHouseClient
  readonly #database: string
  readonly #cluster: string | undefined

  constructor ({ client, database, cluster }: {
    client: ClickHouseClient
    database: string
    /** Set on a replicated cluster. */
    cluster?: string | undefined
  }) {
    this.#client = client
    this.#database = database
    this.#cluster = cluster
  }

  /**
   * Holds the lock of erasure while `work` runs. `signal` ends the wait for it. Throws ReplayError
   * `erasure_under_way` where it is not free within `waitMsMax`.
   */
  async whileNothingIsErased (
    { waitMsMax, signal }: { waitMsMax: number, signal: AbortSignal },
    work: (assertHeld: () => Promise<void>) => Promise<void>
  ): Promise<void> {
    const config = { database: this.#database, cluster: this.#cluster }
    const timeout = AbortSignal.timeout(waitMsMax)
    let isHeld = false
    try {
      const wait = AbortSignal.any([signal, timeout])
      await withErasureLock({ client: this.#client, config, signal: wait }, async (assertHeld) => {
        isHeld = true
        await work(assertHeld)
      })
    } catch (error) {
      if (isHeld || signal.aborted || !timeout.aborted) throw error
      throw new ReplayError('erasure_under_way',
        `Erasures were being carried out for ${waitMsMax} ms: the same command goes on where it was`)
    }
  }

  async run (statements: readonly string[]): Promise<void> {
    for (const query of statements) await this.#client.command({ query })
  }

  /** What a view selects; undefined where there is no such view. */
  async selectOf (view: string): Promise<string | undefined> {
    const [found] = await this.#rows<{ as_select: string }>(`
SELECT as_select FROM system.tables
WHERE database = {database:String} AND name = {table:String} AND engine = 'MaterializedView'`, { table: view })
    return found?.as_select
  }

  async columnsOf (table: string): Promise<string[]> {
    const rows = await this.#rows<{ name: string }>(`
SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String}`, { table })
    return rows.map(({ name }) => name)
  }

  /** The values that a table's column `unit` may have; none where it has no such column. */
  async unitsOf (table: string): Promise<string[]> {
    const [row] = await this.#rows<{ type: string }>(`
SELECT type FROM system.columns
WHERE database = {database:String} AND table = {table:String} AND name = 'unit'`, { table })
    return [...(row?.type ?? '').matchAll(/'(\w+)' = /g)].map(([, name]) => name as string)
  }

  async exists (table: string): Promise<boolean> {
    return (await this.#commentOf(table)) !== undefined
  }

  /** The replay whose target a table is; undefined where it is none's. */
  async stateOf (table: string): Promise<ReplayState | undefined> {
    const comment = await this.#commentOf(table)
    if (comment === undefined || !comment.startsWith('{')) return undefined
    const state = JSON.parse(comment) as Partial<ReplayState>
    return state.id === undefined ? undefined : state as ReplayState
  }

  async keepState (table: string, state: ReplayState): Promise<void> {
    const comment = JSON.stringify(state).replaceAll('\\', '\\\\').replaceAll("'", "\\'")
    await this.run([`ALTER TABLE ${this.#database}.${table} MODIFY COMMENT '${comment}'`])
  }

  /** The table is no replay's target any more: it is one of the schema. */
  async forgetState (table: string): Promise<void> {
    await this.run([`ALTER TABLE ${this.#database}.${table} MODIFY COMMENT ''`])
  }

  /** Has a table say whose rows it holds, so that erasure finds it; it is no replay's target any more. */
  async keepOwner (table: string, stream: string): Promise<void> {
    await this.run([`ALTER TABLE ${this.#database}.${table} MODIFY ${ownedBy(stream)}`])
  }

  /**
   * Copies what arrived before an instant, a UTC midnight, from one table to another of the same columns;
   * rows of the log only below `ends`.
   */
  async copyBefore (
    ms: number, { from, to, ends }: { from: CountedTable, to: string, ends: Readonly<Record<string, number>> }
  ): Promise<void> {
    const below = from.isRollup ? '' : ` AND NOT (${beyond(ends)})`
    await this.#client.command({
      query: `INSERT INTO ${this.#database}.${to} SELECT * FROM ${this.#database}.${from.name}
        WHERE ${arrival(from)} < ${LIMIT}${below}`,
      query_params: { ms }
    })
  }

  /** Events of both tables that arrived in time, asked at one moment; NaN where units do not agree. */
  async countsOf (
    tables: readonly [CountedTable, CountedTable], { fromMs, toMs }: Arrivals
  ): Promise<[number, number]> {
    const [first, second] = tables.map((table) => {
      return `(SELECT ${countSql(table)} FROM ${this.#database}.${table.name}
        WHERE ${arrival(table)} >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
          AND ${arrival(table)} < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC'))`
    })
    const [row] = await this.#rows<{ first: string, second: string }>(
      `SELECT toString(${first}) AS first, toString(${second}) AS second`,
      { from_ms: fromMs, to_ms: Math.min(toMs, LATEST_MS) })
    return [Number(row?.first ?? 0), Number(row?.second ?? 0)]
  }

  /** Events of a stream that have been erased from its raw table. */
  async erasedFrom (raw: string): Promise<number> {
    const [row] = await this.#rows<{ positions: string }>(`
SELECT toString(count()) AS positions FROM ${this.#database}.erased_positions FINAL WHERE table = {raw:String}`, { raw })
    return Number(row?.positions ?? 0)
  }

  /** Rows that a raw table has of some records of the log: those below `ends` that arrived in time. */
  async storedOf (
    raw: string, { ends, fromMs, toMs }: Arrivals & { ends: Readonly<Record<string, number>> }
  ): Promise<number> {
    const [row] = await this.#rows<{ rows: string }>(`
SELECT toString(count()) AS rows FROM ${this.#database}.${raw}
WHERE NOT (${beyond(ends)}) AND received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')`,
    { from_ms: fromMs, to_ms: Math.min(toMs, LATEST_MS) })
    return Number(row?.rows ?? 0)
  }

  /** Newest arrival in a raw table, epoch milliseconds; 0 where it is empty. */
  async newestArrival (raw: string): Promise<number> {
    const [row] = await this.#rows<{ ms: string }>(
      `SELECT toString(toUnixTimestamp64Milli(max(received_at))) AS ms FROM ${this.#database}.${raw}`, {})
    return Number(row?.ms ?? 0)
  }

  /**
   * Rids a table of the rows whose positions have been erased from one of the others, whenever that was: it
   * gives none of them, and holds none. On a cluster too the table is on one replica alone; the positions may
   * have been taken by another one.
   */
  async removeErased (table: string, others: readonly string[], signal: AbortSignal): Promise<void> {
    const settings: Record<string, string> = this.#cluster === undefined
      ? {}
      : { select_sequential_consistency: '1', allow_nondeterministic_mutations: '1' }
    await this.#client.command({
      query: `DELETE FROM ${this.#database}.${table} WHERE (_partition, _offset, received_at) IN (
        SELECT partition, offset, received_at FROM ${this.#database}.erased_positions WHERE table IN {others:Array(String)})`,
      query_params: { others },
      clickhouse_settings: settings
    })
    const mutations = new TableMutations({ client: this.#client, cluster: undefined, signal })
    await mutations.removeMasked(table, async () => signal.throwIfAborted())
  }

  /** Offsets of a topic that are dead letters, by partition. */
  async deadLettersOf (topic: string): Promise<Map<number, Set<number>>> {
    const rows = await this.#rows<{ partition: number, offsets: string[] }>(`
SELECT partition, groupUniqArray(toString(offset)) AS offsets
FROM ${this.#database}.dead_letters WHERE topic = {topic:String} GROUP BY partition`, { topic })
    return new Map(rows.map(({ partition, offsets }) => [partition, new Set(offsets.map(Number))]))
  }

  /** The newest arrival of a partition below an offset, epoch milliseconds; undefined where there is none. */
  async newestArrivalBelow (raw: string, partition: number, offset: number): Promise<number | undefined> {
    const [row] = await this.#rows<{ rows: string, ms: string }>(`
SELECT toString(count()) AS rows, toString(toUnixTimestamp64Milli(max(received_at))) AS ms
FROM ${this.#database}.${raw}
WHERE _partition = {partition:UInt32} AND _offset < {offset:UInt64}`, { partition, offset })
    return row === undefined || row.rows === '0' ? undefined : Number(row.ms)
  }

  async #commentOf (table: string): Promise<string | undefined> {
    const [found] = await this.#rows<{ comment: string }>(`
SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}`, { table })
    return found?.comment
  }

  async #rows<R> (query: string, params: Record<string, unknown>): Promise<R[]> {
    const answer = await this.#client.query({
      query, query_params: { database: this.#database, ...params }, format: 'JSONEachRow'
    })
    return await answer.json<R>()
  }
}

/** Within the range of DateTime64(3). */
const LATEST_MS = Date.UTC(2299, 0)
const LIMIT = "fromUnixTimestamp64Milli({ms:Int64}, 'UTC')"

/** SQL; no number where a rollup has counted an event by some units and not by the others. */
function countSql ({ isRollup, units = [] }: CountedTable): string {
  if (!isRollup) return 'count()'
  if (units.length === 0) return 'sum(count)'
  const counts = units.map((unit) => `sumIf(count, unit = '${unit}')`).join(', ')
  return `if(length(arrayDistinct([${counts}])) = 1, toFloat64(sum(count)) / ${units.length}, nan)`
}

function arrival ({ isRollup }: CountedTable): string {
  return isRollup ? 'toDateTime64(received_date, 3, \'UTC\')' : 'received_at'
}
