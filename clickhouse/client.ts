import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { ClickHouseSettings } from '@clickhouse/client'
import type { ClickHouseConfig } from './config.ts'

export type ClickHouseClient = ReturnType<typeof createClient>

/** Rows of one insert, at most: such a batch always stays one block, so its token covers it as a whole. */
export const BATCH_ROWS_MAX = 50_000

/**
 * What makes a repeated insert harmless: the token is checked in the table and in every view target; nothing
 * is buffered; one batch is one block, so a retry is cut the same way.
 */
const EXACTLY_ONCE: ClickHouseSettings = {
  async_insert: 0,
  wait_end_of_query: 1,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // Threads that parse or insert side by side would cut a batch into blocks at places that vary.
  input_format_parallel_parsing: 0,
  max_insert_threads: '1',
  max_insert_block_size: String(2 * BATCH_ROWS_MAX),
  min_insert_block_size_rows: String(2 * BATCH_ROWS_MAX),
  min_insert_block_size_bytes: '0',
  // A null for a column that takes none is a fault to see, not a default to store. (ClickHouse still reads
  // null as 0 for JSON numbers; the contract's rows hold no such null.)
  input_format_null_as_default: 0,
  input_format_skip_unknown_fields: 0,
  date_time_input_format: 'basic'
}

/** A client that inserts and erases. The caller closes it. */
export function createWriteClient (config: ClickHouseConfig): ClickHouseClient {
  return createClient({ ...options(config), username: config.user, password: config.password })
}

/**
 * A client that migrates: its default database is the server's own, because the configured one may not exist.
 */
export function createMigrationClient (config: ClickHouseConfig): ClickHouseClient {
  return createClient({
    ...options(config), database: 'default', username: config.user, password: config.password
  })
}

/** A client that only reads; the server holds its user to limits. Times come back as ISO 8601. */
export function createReadClient (config: ClickHouseConfig): ClickHouseClient {
  return createClient({
    ...options(config),
    username: config.readUser,
    password: config.readPassword,
    clickhouse_settings: { date_time_output_format: 'iso' }
  })
}

export interface InsertBatch {
  client: ClickHouseClient
  table: string
  /** Columns of the rows; those of the first row by default. */
  columns?: readonly string[]
  rows: ReadonlyArray<Record<string, unknown>>
  /**
   * Identity of the batch. A token that the table has seen among its newest 10,000 inserts is dropped, in the
   * table and all its views, whatever rows come with it: so a token must name its rows.
   */
  token: string
  signal?: AbortSignal
}

/**
 * Inserts one batch as one block, all or nothing for each table, and resolves when table and views hold it.
 * After a failure the same call with the same token completes what is missing; `classifyFault` says what to
 * do. No rows: no request. Throws RangeError above BATCH_ROWS_MAX rows.
 */
export async function insertBatch (batch: InsertBatch): Promise<void> {
  const { client, table, columns, rows, token, signal } = batch
  const [first] = rows
  if (first === undefined) return
  if (rows.length > BATCH_ROWS_MAX) throw new RangeError(`A batch holds at most ${BATCH_ROWS_MAX} rows`)
  const [column, ...otherColumns] = columns ?? Object.keys(first)
  if (column === undefined) throw new RangeError('A batch needs at least one column')
  await client.insert({
    table,
    columns: [column, ...otherColumns],
    values: rows,
    format: 'JSONEachRow',
    clickhouse_settings: { ...EXACTLY_ONCE, insert_deduplication_token: token },
    ...(signal === undefined ? {} : { abort_signal: signal })
  })
}

function options (config: ClickHouseConfig) {
  return {
    url: config.url,
    database: config.database,
    application: 'millrace',
    // Errors reach the caller, who logs them; the client's own lines would hold parameters and settings.
    log: { level: ClickHouseLogLevel.OFF },
    request_timeout: config.requestTimeoutMs,
    max_open_connections: config.connectionsMax,
    compression: { request: config.compression, response: config.compression },
    // Idle sockets close before the server's own keep-alive ends (10 s embedded, 30 s in ClickHouse), so that
    // no request is sent into a socket that is being closed.
    keep_alive: { enabled: true, idle_socket_ttl: 5_000 }
  }
}
