import { MillraceError } from '../../contract/index.ts'
import { clickHouseCode } from '../../clickhouse/index.ts'
import { toMillraceError } from '../clickhouse-query-client.ts'
import { visibleQuery } from '../visibility.ts'
import type { ClickHouseClient } from '../../clickhouse/index.ts'
import type { Visibility } from '../visibility.ts'

export interface QuestionQuery {
  sql: string
  params: Readonly<Record<string, unknown>>
}

/** Cells in the order of the columns; 64-bit integers are strings, times ISO 8601 text. */
export interface TableAnswer {
  rows: unknown[][]
  rowsRead: number
  bytesRead: number
}

/**
 * How questions reach the database: as a user that can only read. Every method rejects with MillraceError:
 * `query_timeout` and `query_too_large` where the question itself is too much (a client narrows it),
 * `storage_unavailable` where the database is out of reach or busy (it may come again), else `internal`.
 */
export interface QuestionClient {
  /** Rows of a table by the engine's own books, deleted ones included; Infinity where it does not say. */
  tableRows: (table: string, signal: AbortSignal) => Promise<number>
  /** Rows that a scan is expected to read. */
  estimateRows: (query: QuestionQuery, signal: AbortSignal) => Promise<number>
  table: (query: QuestionQuery, signal: AbortSignal) => Promise<TableAnswer>
  /** An Arrow IPC file or stream, not compressed. */
  arrow: (query: QuestionQuery, format: 'Arrow' | 'ArrowStream', signal: AbortSignal) => Promise<Buffer>
}

/** Source: `src/Common/ErrorCodes.cpp`. */
const QUESTION_CODES: Readonly<Record<number, 'query_timeout' | 'query_too_large'>> = {
  159: 'query_timeout', // TIMEOUT_EXCEEDED
  160: 'query_timeout', // TOO_SLOW
  158: 'query_too_large', // TOO_MANY_ROWS
  241: 'query_too_large', // MEMORY_LIMIT_EXCEEDED
  307: 'query_too_large', // TOO_MANY_BYTES
  396: 'query_too_large' // TOO_MANY_ROWS_OR_BYTES
}

interface JsonCompact {
  data: unknown[][]
  statistics?: { rows_read?: number, bytes_read?: number }
}

export interface QuestionClientOptions {
  client: ClickHouseClient
  visibility: Visibility
  /** Longest run of one query. */
  secondsMax: number
}

/** Characters of an Arrow query's parameters, which the client sends in the URL; headers end at 16 KB. */
const URL_PARAMS_MAX = 8_000

/** `client` comes from `createReadClient`. */
export function clickHouseQuestionClient (
  { client, visibility, secondsMax }: QuestionClientOptions
): QuestionClient {
  const settings = {
    max_execution_time: secondsMax,
    output_format_json_quote_64bit_integers: 1,
    output_format_arrow_compression_method: 'none'
  } as const
  const json = async (query: QuestionQuery, signal: AbortSignal, prefix = ''): Promise<JsonCompact> => {
    return translated(signal, async () => {
      const { sql, params, settings: own } = await visibleQuery(query, visibility)
      const answer = await client.query({
        query: prefix + sql,
        query_params: { ...params },
        // Values above 4 KB travel in the body, so that no URL is too long for what stands between.
        use_multipart_params_auto: true,
        format: 'JSONCompact',
        abort_signal: signal,
        clickhouse_settings: { ...settings, ...own }
      })
      return JSON.parse(await answer.text()) as JsonCompact
    })
  }
  return {
    async tableRows (table, signal) {
      const sql = 'SELECT total_rows FROM system.tables WHERE database = currentDatabase() AND name = {table:String}'
      const { data: [cells] } = await json({ sql, params: { table } }, signal)
      const rows = cells?.[0] ?? undefined
      return rows === undefined ? Infinity : Number(rows)
    },
    async estimateRows (query, signal) {
      const { data } = await json(query, signal, 'EXPLAIN ESTIMATE ')
      // Columns: database, table, parts, rows, marks; no row where no part can hold anything.
      return data.reduce((rows, cells) => rows + Number(cells[3]), 0)
    },
    async table (query, signal) {
      const { data, statistics } = await json(query, signal)
      return { rows: data, rowsRead: statistics?.rows_read ?? 0, bytesRead: statistics?.bytes_read ?? 0 }
    },
    arrow: (query, format, signal) => translated(signal, async () => {
      const { sql, params, settings: own } = await visibleQuery(query, visibility)
      assertFitsUrl(params)
      const { stream } = await client.exec({
        query: `${sql}\nFORMAT ${format}`,
        query_params: { ...params },
        abort_signal: signal,
        clickhouse_settings: { ...settings, ...own }
      })
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks)
    })
  }
}

async function translated<T> (signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  try {
    // The client hears an abort, but does not look whether there was one.
    signal.throwIfAborted()
    return await call()
  } catch (error) {
    throw questionError(error, signal)
  }
}

/** The client sends the parameters of a request for bytes in the URL only. */
function assertFitsUrl (params: QuestionQuery['params']): void {
  // A quote in a list is escaped twice before it is encoded.
  const escaped = JSON.stringify(params).replace(/['"\\]/g, '\\\\\\$&')
  if (encodeURIComponent(escaped).length <= URL_PARAMS_MAX) return
  throw new MillraceError('query_too_large', 'The values are too long for an Arrow answer: ask for JSON or CSV')
}

function questionError (error: unknown, signal: AbortSignal): MillraceError {
  if (error instanceof MillraceError) return error
  const code = QUESTION_CODES[clickHouseCode(error) ?? 0]
  if (code === undefined || signal.aborted) return toMillraceError(error, signal)
  const detail = code === 'query_timeout'
    ? 'The question took too long: ask for a shorter range, fewer groups, or what the rollup holds'
    : 'The question needs too much memory or has too many rows: group by less, or filter more'
  return new MillraceError(code, detail, { cause: error })
}
