import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ServerError, httpStatus, serverError } from './server-error.ts'
import type { EngineAnswer } from './engine.ts'

const compress = promisify(gzip)
/** The least effort: on loopback the point is to serve clients that ask for it. */
const GZIP_LEVEL = 1

export interface Answer {
  queryId: string
  format: string
  answer: EngineAnswer
  elapsedMs: number
}

/** Sends the result of a statement, with ClickHouse's headers. */
export async function sendAnswer (
  message: IncomingMessage, response: ServerResponse, { queryId, format, answer, elapsedMs }: Answer
): Promise<void> {
  const body = wantsGzip(message) ? await compress(answer.bytes, { level: GZIP_LEVEL }) : answer.bytes
  if (body !== answer.bytes) response.setHeader('Content-Encoding', 'gzip')
  response.writeHead(200, {
    'Content-Type': contentType(format),
    'Content-Length': body.length,
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Format': format,
    'X-ClickHouse-Timezone': 'UTC',
    'X-ClickHouse-Summary': JSON.stringify({
      read_rows: String(answer.readRows),
      read_bytes: String(answer.readBytes),
      written_rows: String(answer.writtenRows),
      written_bytes: String(answer.writtenBytes),
      result_rows: '0',
      result_bytes: String(answer.bytes.length),
      elapsed_ns: String(Math.round(elapsedMs * 1e6))
    })
  })
  response.end(body)
}

/** Sends an exception as ClickHouse does: its code in a header, its text in the body. */
export function sendError (response: ServerResponse, error: unknown, queryId: string, version: string): void {
  const known = error instanceof ServerError ? error : serverError('BAD_ARGUMENTS', 'Internal error', error)
  const body = `${known.message} (version ${version})\n`
  response.writeHead(known === error ? httpStatus(known.code) : 500, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': Buffer.byteLength(body),
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Exception-Code': String(known.code)
  })
  response.end(body)
}

function wantsGzip (message: IncomingMessage): boolean {
  const { searchParams } = new URL(message.url ?? '/', 'http://localhost')
  return searchParams.get('enable_http_compression') === '1' &&
    /\bgzip\b/i.test(String(message.headers['accept-encoding'] ?? ''))
}

function contentType (format: string): string {
  if (/^JSON.*EachRow/.test(format)) return 'application/x-ndjson; charset=UTF-8'
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8'
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8'
  if (/^(TSV|TabSeparated)/.test(format)) return 'text/tab-separated-values; charset=UTF-8'
  if (/^(Arrow|Parquet|ORC|Native|RowBinary|Avro|MsgPack|Npy|BSON)/.test(format)) return 'application/octet-stream'
  return 'text/plain; charset=UTF-8'
}
