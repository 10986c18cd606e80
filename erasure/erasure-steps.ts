/**
 * What the job does to tables. Every step may be repeated after a crash: positions of one row replace each
 * other, a mutation that masks what is masked changes nothing.
 *
 * Subjects and the key travel as parameters of queries that ClickHouse is told not to log. A mutation's text
 * is kept by ClickHouse, so it goes by positions alone.
 */
import { onCluster } from '../clickhouse/index.ts'
import { erasedCondition } from './personal-tables.ts'
import { REPLAY_TABLES_SQL, replayTables } from './replay-table.ts'
import { TableMutations } from './table-mutations.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { PersonalTable } from './personal-tables.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { Tombstone } from './tombstone.ts'

const NOT_LOGGED = { log_queries: 0 } as const

export interface ErasureStepsOptions {
  /** A client that writes. */
  client: ClickHouseClient
  /** Set on a replicated cluster. */
  cluster: string | undefined
  hasher: SubjectHasher
  signal: AbortSignal
}

export class ErasureSteps {
  readonly #options: ErasureStepsOptions
  readonly #mutations: TableMutations

  constructor (options: ErasureStepsOptions) {
    this.#options = options
    this.#mutations = new TableMutations(options)
  }

  /** Milliseconds of ClickHouse's clock. */
  async now (): Promise<number> {
    const [row] = await this.#rows<{ now: number | string }>('SELECT toUnixTimestamp64Milli(now64(3)) AS now')
    return Number(row?.now)
  }

  /** The tables of replays that exist now; none on a cluster, where they are on one replica alone. */
  async replayTables (known: readonly PersonalTable[]): Promise<PersonalTable[]> {
    if (this.#options.cluster !== undefined) return []
    return replayTables(await this.#rows<{ name: string, comment: string }>(REPLAY_TABLES_SQL), known)
  }

  /** Writes down where the rows of the erasures stand, each row for one of them: see `ownersOf`. */
  async collect (table: PersonalTable, batch: number, erasures: readonly Tombstone[]): Promise<void> {
    const condition = erasedCondition(table, erasures, this.#options.hasher)
    if (condition === undefined) return
    const { owned, until, ids } = ownersOf(table, erasures)
    // By `#rows`: only there do parameters travel in the body, and 500 erasures are too many for a URL.
    await this.#rows(`
INSERT INTO erased_positions (table, stream, partition, offset, received_at, batch, erasure_id)
WITH transform(${table.identitySql}, {owned:Array(String)}, range(1, length({owned:Array(String)}) + 1), 0) AS owner
SELECT '${table.name}', ${table.streamSql}, ${table.partition}, ${table.offset}, received_at, {batch:UInt64},
  arrayFirst((id, until) -> toUnixTimestamp64Milli(received_at) <= until,
    {ids:Array(Array(String))}[owner], {until:Array(Array(Int64))}[owner])
FROM ${table.name}
WHERE ${condition.sql}`, { ...condition.params, batch, owned, until, ids }, { ...NOT_LOGGED, ...this.#consistent })
  }

  /** Writes the parts of a table anew that hold masked rows. */
  async removeMasked ({ name }: PersonalTable, beforeEach: () => Promise<void>): Promise<void> {
    await this.#mutations.removeMasked(name, beforeEach)
  }

  /** How many rows of each table and erasure were collected; without those that had none. */
  async collected (batches: readonly number[]): Promise<Map<string, Map<string, number>>> {
    const rows = await this.#rows<{ table: string, erasure_id: string, n: number | string }>(`
SELECT table, erasure_id, count() AS n FROM erased_positions FINAL
WHERE batch IN {batches:Array(UInt64)} GROUP BY table, erasure_id`, { batches })
    const counts = new Map<string, Map<string, number>>()
    for (const { table, erasure_id: id, n } of rows) {
      const byErasure = counts.get(table) ?? new Map<string, number>()
      counts.set(table, byErasure.set(id, Number(n)))
    }
    return counts
  }

  /** Masks what was collected, by one mutation, and waits for it. */
  async mask ({ name, streamSql, partition, offset }: PersonalTable, batch: number): Promise<void> {
    const { client } = this.#options
    const query = `
DELETE FROM ${name} ${onCluster(this.#options)}
WHERE (${streamSql}, ${partition}, ${offset}, received_at) IN (
  SELECT stream, partition, offset, received_at FROM erased_positions
  WHERE table = '${name}' AND batch = {batch:UInt64}
)`
    const settings = { lightweight_deletes_sync: '0', ...this.#consistent }
    await client.command({ query, query_params: { batch }, clickhouse_settings: settings })
    await this.#mutations.done(name)
  }

  /** Rows of the erasures in a table: those that it gives, or those that it holds, masked ones too. */
  async count (
    table: PersonalTable, erasures: readonly Tombstone[], which: 'given' | 'held'
  ): Promise<number> {
    const condition = erasedCondition(table, erasures, this.#options.hasher)
    if (condition === undefined) return 0
    const [row] = await this.#rows<{ n: number | string }>(
      `SELECT count() AS n FROM ${table.name} WHERE ${condition.sql}`, condition.params, {
        ...NOT_LOGGED, apply_deleted_mask: which === 'given' ? 1 : 0
      })
    return Number(row?.n)
  }

  /** On a cluster the replica that is asked need not have what another one took. */
  get #consistent (): Record<string, string> {
    return this.#options.cluster === undefined
      ? {}
      : { insert_quorum: 'auto', select_sequential_consistency: '1', allow_nondeterministic_mutations: '1' }
  }

  async #rows<T> (
    query: string, params: Record<string, unknown> = {}, settings: Record<string, string | number> = {}
  ): Promise<T[]> {
    const { client } = this.#options
    const answer = await client.query({
      query,
      query_params: params,
      clickhouse_settings: settings,
      use_multipart_params_auto: true,
      format: 'JSONEachRow'
    })
    return await answer.json<T>()
  }
}

/**
 * Whose a row is, by the number (from 1) of its identity in `owned`: the first erasure in `ids` whose cut-off
 * in `until` reaches it. Of several erasures of one subject in a batch, each row counts for the earliest that
 * is about it, as it would if they had been carried out one after the other.
 */
function ownersOf (
  table: PersonalTable, erasures: readonly Tombstone[]
): { owned: string[], ids: string[][], until: number[][] } {
  const claims = erasures.toSorted((one, other) => one.cutoffMs - other.cutoffMs).flatMap((erasure) => {
    return table.identitiesOf(erasure).map((identity) => ({ identity, erasure }))
  })
  const byIdentity = [...Map.groupBy(claims, ({ identity }) => identity)]
  return {
    owned: byIdentity.map(([identity]) => identity),
    ids: byIdentity.map(([, own]) => own.map(({ erasure }) => erasure.id)),
    until: byIdentity.map(([, own]) => own.map(({ erasure }) => erasure.cutoffMs))
  }
}
