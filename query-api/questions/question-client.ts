import { MillraceError } from '../../contract/index.ts'
import { clickHouseCode } from '../../clickhouse/index.ts'
import { toMillraceError } from '../clickhouse-query-client.ts'
import type { ClickHouseClient } from '../../clickhouse/index.ts'

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
  /** Longest run of one query. */
  secondsMax: number
}

/** `client` comes from `createReadClient`. */
export function clickHouseQuestionClient ({ client, secondsMax }: QuestionClientOptions): QuestionClient {
  const run: (query: QuestionQuery, format: string, signal: AbortSignal) => Promise<Buffer> = async (
    { sql, params }, format, signal
  ) => {
    try {
      signal.throwIfAborted()
      const { stream } = await client.exec({
        query: `${sql}\nFORMAT ${format}`,
        query_params: { ...params },
        use_multipart_params_auto: true,
        abort_signal: signal,
        clickhouse_settings: {
          max_execution_time: secondsMax,
          output_format_json_quote_64bit_integers: 1,
          output_format_arrow_compression_method: 'none'
        }
      })
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks)
    } catch (error) {
      throw questionError(error, signal)
    }
  }
  const json = async (query: QuestionQuery, signal: AbortSignal): Promise<JsonCompact> => {
    const bytes = await run(query, 'JSONCompact', signal)
    return JSON.parse(bytes.toString()) as JsonCompact
  }
  return {
    async estimateRows ({ sql, params }, signal) {
      const { data } = await json({ sql: `EXPLAIN ESTIMATE ${sql}`, params }, signal)
      // Columns: database, table, parts, rows, marks; no row where no part can hold anything.
      return data.reduce((rows, cells) => rows + Number(cells[3]), 0)
    },
    async table (query, signal) {
      const { data, statistics } = await json(query, signal)
      return { rows: data, rowsRead: statistics?.rows_read ?? 0, bytesRead: statistics?.bytes_read ?? 0 }
    },
    arrow: run
  }
}

function questionError (error: unknown, signal: AbortSignal): MillraceError {
  const code = QUESTION_CODES[clickHouseCode(error) ?? 0]
  if (code === undefined || signal.aborted) return toMillraceError(error, signal)
  const detail = code === 'query_timeout'
    ? 'The question took too long: ask for a shorter range, fewer groups, or what the rollup holds'
    : 'The question needs too much memory or has too many rows: group by less, or filter more'
  return new MillraceError(code, detail, { cause: error })
}
