import { BoundedQueue, classifyFault, insertBatch } from '../clickhouse/index.ts'
import { RefusedRowsError } from './sink.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { Sink } from './sink.ts'

/** Inserts that may wait: far more than a process has partitions, each of which sends one at a time. */
const WAITING_MAX = 100_000

/**
 * Lands batches in ClickHouse, at most `insertsMax` inserts at once; the meaning of its faults is decided in
 * clickhouse/faults.ts.
 */
export function createClickHouseSink (client: ClickHouseClient, insertsMax: number): Sink {
  const queue = new BoundedQueue({ runningMax: insertsMax, waitingMax: WAITING_MAX })
  return {
    insert: async ({ table, rows, token, signal }) => {
      try {
        await queue.run(signal, () => insertBatch({ client, table, rows, token, signal }))
      } catch (cause) {
        if (classifyFault(cause) !== 'refused_rows') throw cause
        throw new RefusedRowsError(cause instanceof Error ? cause.message : String(cause), { cause })
      }
    }
  }
}
