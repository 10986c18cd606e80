import { classifyFault, insertBatch } from '../clickhouse/index.ts'
import { RefusedRowsError } from './sink.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { Sink } from './sink.ts'

/** Lands batches in ClickHouse; the meaning of its faults is decided in clickhouse/faults.ts. */
export function createClickHouseSink (client: ClickHouseClient): Sink {
  return {
    insert: async ({ table, rows, token, signal }) => {
      try {
        await insertBatch({ client, table, rows, token, signal })
      } catch (cause) {
        if (classifyFault(cause) !== 'refused_rows') throw cause
        throw new RefusedRowsError(cause instanceof Error ? cause.message : String(cause), { cause })
      }
    }
  }
}
