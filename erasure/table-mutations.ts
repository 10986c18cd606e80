import { setTimeout as sleep } from 'node:timers/promises'
import { onCluster } from '../clickhouse/index.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'

const POLL_MS = 100
/** As ClickHouse shows the two kinds of mutation that erasure needs. */
const OUR_MUTATIONS = "(command LIKE '%erased_positions%' OR command LIKE '%APPLY DELETED MASK%')"

export interface TableMutationsOptions {
  /** A client that writes. */
  client: ClickHouseClient
  /** Set on a replicated cluster. */
  cluster: string | undefined
  signal: AbortSignal
}

/** The mutations of erasure, which take as long as the tables are large: they are begun, and waited for. */
export class TableMutations {
  readonly #options: TableMutationsOptions

  constructor (options: TableMutationsOptions) {
    this.#options = options
  }

  /** Resolves when none of them is under way in a table. Rejects when aborted. */
  async done (table: string): Promise<void> {
    while (true) {
      this.#options.signal.throwIfAborted()
      const [row] = await this.#rows<{ n: number | string }>(`
SELECT count() AS n FROM ${this.#system('mutations')}
WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done AND ${OUR_MUTATIONS}`, table)
      if (Number(row?.n) === 0) return
      await sleep(POLL_MS, undefined, { signal: this.#options.signal })
    }
  }

  /** Writes the parts of a table anew that hold masked rows, partition by partition. */
  async removeMasked (table: string, beforeEach: () => Promise<void>): Promise<void> {
    await this.done(table)
    const partitions = await this.#rows<{ id: string }>(`
SELECT DISTINCT partition_id AS id FROM ${this.#system('parts')}
WHERE database = currentDatabase() AND table = {table:String} AND active AND has_lightweight_delete
ORDER BY id`, table)
    for (const { id } of partitions) {
      await beforeEach()
      await this.#options.client.command({
        // The id of a partition is made by ClickHouse of a date: digits.
        query: `ALTER TABLE ${table} ${onCluster(this.#options)} APPLY DELETED MASK IN PARTITION ID '${id}'`,
        clickhouse_settings: { mutations_sync: '0' }
      })
      await this.done(table)
    }
  }

  #system (table: 'parts' | 'mutations'): string {
    const { cluster } = this.#options
    return cluster === undefined ? `system.${table}` : `clusterAllReplicas(\`${cluster}\`, system.${table})`
  }

  async #rows<T> (query: string, table: string): Promise<T[]> {
    const answer = await this.#options.client.query({ query, query_params: { table }, format: 'JSONEachRow' })
    return await answer.json<T>()
  }
}
