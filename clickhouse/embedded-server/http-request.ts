import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { authenticate } from './authenticate.ts'
import { readForm } from './request-body.ts'
import { readerSettings, sortParameters } from './request-settings.ts'
import { serverError } from './server-error.ts'
import { assertReadable, parseInsert, parseQuery } from './statement.ts'
import type { EmbeddedUser } from './authenticate.ts'
import type { EngineRequest } from './engine.ts'
import type { InsertStatement } from './statement.ts'

/** Head of a body in which an INSERT's own text must end. */
const INSERT_HEAD_BYTES_MAX = 64 * 1024
const DEFAULT_FORMAT = 'TabSeparated'

/** The parameters of the URL and the user they, or the headers, name. Throws ServerError. */
export function readHead (
  message: IncomingMessage, url: URL, users: readonly EmbeddedUser[]
): { user: EmbeddedUser, entries: Array<[string, string]> } {
  return { user: authenticate(users, message.headers, url.searchParams), entries: [...url.searchParams] }
}

/**
 * What the engine is to do for one HTTP request. The statement is the parameter `query`, the body, or one
 * after the other, as in ClickHouse; the rest of an INSERT is its data. Throws ServerError.
 */
export async function toEngineRequest (
  message: IncomingMessage, { user, entries }: ReturnType<typeof readHead>, body: Buffer
): Promise<Omit<EngineRequest, 'signal'>> {
  const contentType = message.headers['content-type'] ?? ''
  const isForm = contentType.startsWith('multipart/form-data')
  const all = isForm ? [...entries, ...await readForm(contentType, body)] : entries
  const values = new Map(all)
  const { settings, parameters } = sortParameters(all)
  const { statement, data } = readStatement(values.get('query') ?? '', isForm ? Buffer.alloc(0) : body)
  if (user.readLimits !== undefined) assertReadable(statement)
  return {
    statement,
    data,
    settings: withAccess(settings, user, message.method === 'GET'),
    parameters,
    database: values.get('database') ?? header(message, 'x-clickhouse-database'),
    format: values.get('default_format') ?? header(message, 'x-clickhouse-format') ?? DEFAULT_FORMAT
  }
}

type Settings = Record<string, string>

function withAccess (settings: Settings, user: EmbeddedUser, isGet: boolean): Settings {
  if (user.readLimits !== undefined) return readerSettings(settings, user.readLimits)
  // As in ClickHouse: GET never writes, so that a link cannot.
  return isGet ? { ...settings, readonly: '2' } : settings
}

function readStatement (query: string, body: Buffer): Pick<EngineRequest, 'statement' | 'data'> {
  const insert = query === ''
    ? parseInsert(body.toString('latin1', 0, INSERT_HEAD_BYTES_MAX))
    : parseInsert(query)
  if (insert !== undefined) return { statement: insert, data: insertData(insert, query, body) }
  if (!isUtf8(body)) throw serverError('SYNTAX_ERROR', 'The query is not valid UTF-8')
  const sql = query === '' || body.length === 0 ? query + body.toString() : `${query}\n${body.toString()}`
  return { statement: parseQuery(sql), data: Buffer.alloc(0) }
}

/** The bytes after the name of the format: blanks and at most one line end do not belong to them. */
function insertData ({ dataStart }: InsertStatement, query: string, body: Buffer): Buffer {
  const inText = query === '' ? body.subarray(dataStart) : Buffer.from(query.slice(dataStart))
  const text = inText.subarray(blankLength(inText))
  if (query === '') return text
  return text.length === 0 ? body : Buffer.concat([text, body])
}

function blankLength (bytes: Buffer): number {
  const blank = /^[ \t;]*(?:\r?\n)?/.exec(bytes.toString('latin1', 0, 1024))
  return blank?.[0].length ?? 0
}

function header (message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name]
  return typeof value === 'string' ? value : undefined
}
