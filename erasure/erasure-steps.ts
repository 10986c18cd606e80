/**
 * What the job does to tables. Every step may be repeated after a crash: positions of one row replace each
 * other, a mutation that masks what is masked changes nothing.
 *
 * Subjects and the key travel as parameters of queries that ClickHouse is told not to log. A mutation's text
 * is kept by ClickHouse, so it goes by positions alone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { onCluster } from '../clickhouse/index.ts'
import { erasedCondition } from './personal-tables.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { PersonalTable } from './personal-tables.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { Tombstone } from './tombstone.ts'

const NOT_LOGGED = { log_queries: 0 } as const
const MUTATION_POLL_MS = 100
/** As ClickHouse shows the two kinds of mutation that are ours. */
const OUR_MUTATIONS = "(command LIKE '%erased_positions%' OR command LIKE '%APPLY DELETED MASK%')"

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

  constructor (options: ErasureStepsOptions) {
    this.#options = options
  }

  /** Milliseconds of ClickHouse's clock. */
  async now (): Promise<number> {
    const [row] = await this.#rows<{ now: number | string }>('SELECT toUnixTimestamp64Milli(now64(3)) AS now')
    return Number(row?.now)
  }

  /** Writes down where the rows of the erasures stand. */
  async collect (table: PersonalTable, batch: number, erasures: readonly Tombstone[]): Promise<void> {
    const condition = erasedCondition(table, erasures, this.#options.hasher)
    if (condition === undefined) return
    const owners = new Map(erasures.flatMap((erasure) => {
      return table.identitiesOf(erasure).map((identity) => [identity, erasure.id] as const)
    }))
    // By `#rows`: only there do parameters travel in the body, and 500 erasures are too many for a URL.
    await this.#rows(`
INSERT INTO erased_positions (table, stream, partition, offset, received_at, batch, erasure_id)
SELECT '${table.name}', ${table.streamSql}, ${table.partition}, ${table.offset}, received_at, {batch:UInt64},
  transform(${table.identitySql}, {owned:Array(String)}, {owners:Array(String)}, '')
FROM ${table.name}
WHERE ${condition.sql}`, { ...condition.params, batch, owned: [...owners.keys()], owners: [...owners.values()] }, {
      ...NOT_LOGGED, ...this.#consistent
    })
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
    await this.#command(`
DELETE FROM ${name} ${this.#onCluster}
WHERE (${streamSql}, ${partition}, ${offset}, received_at) IN (
  SELECT stream, partition, offset, received_at FROM erased_positions
  WHERE table = '${name}' AND batch = {batch:UInt64}
)`, { batch }, { lightweight_deletes_sync: '0', ...this.#consistent })
    await this.#mutationsDone(name)
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

  /** Writes the parts of a table anew that hold masked rows, partition by partition. */
  async removeMasked (table: PersonalTable, beforeEach: () => Promise<void>): Promise<void> {
    await this.#mutationsDone(table.name)
    const partitions = await this.#rows<{ id: string }>(`
SELECT DISTINCT partition_id AS id FROM ${this.#system('parts')}
WHERE database = currentDatabase() AND table = {table:String} AND active AND has_lightweight_delete
ORDER BY id`, { table: table.name })
    for (const { id } of partitions) {
      await beforeEach()
      // The id of a partition is made by ClickHouse of a date: digits.
      await this.#command(
        `ALTER TABLE ${table.name} ${this.#onCluster} APPLY DELETED MASK IN PARTITION ID '${id}'`, {},
        { mutations_sync: '0' })
      await this.#mutationsDone(table.name)
    }
  }

  async #mutationsDone (table: string): Promise<void> {
    while (true) {
      this.#options.signal.throwIfAborted()
      const [row] = await this.#rows<{ n: number | string }>(`
SELECT count() AS n FROM ${this.#system('mutations')}
WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done AND ${OUR_MUTATIONS}`, { table })
      if (Number(row?.n) === 0) return
      await sleep(MUTATION_POLL_MS, undefined, { signal: this.#options.signal })
    }
  }

  /** On a cluster the replica that is asked need not have what another one took. */
  get #consistent (): Record<string, string> {
    return this.#options.cluster === undefined
      ? {}
      : { insert_quorum: 'auto', select_sequential_consistency: '1', allow_nondeterministic_mutations: '1' }
  }

  get #onCluster (): string {
    return onCluster(this.#options)
  }

  #system (table: 'parts' | 'mutations'): string {
    const { cluster } = this.#options
    return cluster === undefined ? `system.${table}` : `clusterAllReplicas(\`${cluster}\`, system.${table})`
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

  async #command (
    query: string, params: Record<string, unknown>, settings: Record<string, string | number>
  ): Promise<void> {
    await this.#options.client.command({ query, query_params: params, clickhouse_settings: settings })
  }
}
