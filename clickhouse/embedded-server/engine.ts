import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Session, drainPending, version } from 'chdb'
import type { RawInsertFormat } from 'chdb'
import { quoteString } from '../sql-tokens.ts'
import { engineConfigXml } from './engine-config.ts'
import { forgetLostBlocks, hasLostBlocks } from './lost-blocks.ts'
import { setStatement, useStatement } from './request-settings.ts'
import { ServerError, serverError } from './server-error.ts'
import type { EngineLimits } from '../config.ts'
import type { RequestSettings } from './request-settings.ts'
import type { InsertStatement, QueryStatement } from './statement.ts'

/**
 * The ClickHouse engine (chDB) in this process. Every request gets a session of its own, which costs a
 * fraction of a millisecond: settings and parameters are SET in it and leave with it, and requests do not
 * wait for each other as they would with chDB's own parameter binding, one queue for the whole process.
 */
export interface EngineRequest extends RequestSettings {
  database: string | undefined
  statement: QueryStatement | InsertStatement
  /** Rows of an insert. */
  data: Buffer
  /** Output format where the text names none. */
  format: string
  /** Aborts when the client has gone: a query is killed then, an insert goes on. */
  signal: AbortSignal
}

export interface EngineAnswer {
  bytes: Uint8Array
  readRows: number
  readBytes: number
  writtenRows: number
  writtenBytes: number
}

/** The data directory cannot be opened; a process that has it may be about to end. */
export class DataDirectoryError extends Error {
  readonly code = 'data_directory_unavailable'
  readonly retryable = true
  override readonly name = 'DataDirectoryError'
}

/** Formats whose bytes go to the engine as they came; others that are text go through the SQL text. */
const RAW_FORMATS: ReadonlySet<string> = new Set<RawInsertFormat>(['JSONEachRow', 'JSONCompactEachRow', 'CSV',
  'CSVWithNames', 'TSV', 'TabSeparated', 'TSVWithNames', 'TabSeparatedWithNames'])

export class Engine {
  readonly version = version().libchdb.replaceAll('"', '')
  private readonly path: string
  private readonly threadsPerQuery: number
  /** Keeps the engine open; one session on the directory is enough for the others to come and go. */
  private readonly root: Session

  /**
   * Opens the engine in `directory`, creating it. Throws DataDirectoryError where another process has it, or
   * it cannot be read.
   */
  constructor (directory: string, limits: EngineLimits) {
    this.path = join(directory, 'engine')
    this.threadsPerQuery = limits.threadsPerQuery
    mkdirSync(this.path, { recursive: true })
    const configFile = join(directory, 'config.xml')
    writeFileSync(configFile, engineConfigXml(limits))
    const ownerFile = join(directory, 'owner.pid')
    const open = (): Session => new Session(this.path, { connectionArgs: [`--config-file=${configFile}`] })
    try {
      let root = open()
      // Only whoever has the directory open knows that nobody else has.
      if (hasLostBlocks(this.path)) {
        root.close()
        forgetLostBlocks(this.path)
        root = open()
      }
      this.root = root
    } catch (error) {
      throw new DataDirectoryError(`Cannot open ${this.path}${ownerHint(ownerFile)}`, { cause: error })
    }
    writeFileSync(ownerFile, String(process.pid))
  }

  /** Runs one statement. Throws ServerError with ClickHouse's code. */
  async run (request: EngineRequest): Promise<EngineAnswer> {
    const session = new Session(this.path)
    const comment = `${randomUUID()} ${request.settings['log_comment'] ?? ''}`.trimEnd()
    const kill = (): void => {
      if (request.statement.kind === 'query' && request.statement.reads) this.kill(comment)
    }
    try {
      request.signal.throwIfAborted()
      request.signal.addEventListener('abort', kill, { once: true })
      await this.prepare(session, request, comment)
      return await execute(session, request)
    } catch (error) {
      throw toServerError(error)
    } finally {
      request.signal.removeEventListener('abort', kill)
      session.close()
    }
  }

  /** Waits for what runs, then closes. Nothing may be run afterwards. */
  async close (): Promise<void> {
    await drainPending()
    this.root.close()
    await drainPending()
  }

  private async prepare (session: Session, request: EngineRequest, comment: string): Promise<void> {
    if (request.database !== undefined) await session.queryAsync(useStatement(request.database))
    const settings = { max_threads: String(this.threadsPerQuery), ...request.settings, log_comment: comment }
    await session.queryAsync(setStatement({ settings, parameters: request.parameters }))
  }

  /** Best effort: a query that is over by now is not found. */
  private kill (comment: string): void {
    const session = new Session(this.path)
    session.queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${quoteString(comment)} ASYNC`)
      .catch(() => undefined)
      .finally(() => session.close())
  }
}

async function execute (session: Session, { statement, data, format }: EngineRequest): Promise<EngineAnswer> {
  if (statement.kind === 'insert') return insert(session, statement, data)
  const result = await session.queryAsync(statement.sql, { format })
  const read = { readRows: result.rowsRead, readBytes: result.bytesRead }
  return { bytes: result.bytes(), ...read, writtenRows: 0, writtenBytes: 0 }
}

async function insert (session: Session, statement: InsertStatement, data: Buffer): Promise<EngineAnswer> {
  const { table, columns, settings } = statement
  const read = { bytes: new Uint8Array(), readBytes: data.length }
  if (!RAW_FORMATS.has(statement.format)) {
    await session.queryAsync(insertText(statement, data))
    return { ...read, readRows: 0, writtenRows: 0, writtenBytes: 0 }
  }
  const format = statement.format as RawInsertFormat
  const named = columns.length === 0 ? {} : { columns }
  const { rowsSent, rowsWritten, bytesWritten } =
    await session.insert({ table, values: data, format, settings, ...named })
  return { ...read, readRows: rowsSent ?? rowsWritten, writtenRows: rowsWritten, writtenBytes: bytesWritten }
}

function insertText ({ table, columns, settings, format }: InsertStatement, data: Buffer): string {
  if (!isUtf8(data)) throw serverError('NOT_IMPLEMENTED', `The embedded server takes no binary ${format}`)
  const names = columns.length === 0 ? '' : ` (${columns.join(', ')})`
  const pairs = Object.entries(settings).map(([name, value]) => `${name} = ${quoteString(value)}`)
  const clause = pairs.length === 0 ? '' : ` SETTINGS ${pairs.join(', ')}`
  return `INSERT INTO ${table}${names}${clause} FORMAT ${format}\n${data.toString()}`
}

function toServerError (error: unknown): Error {
  if (error instanceof ServerError || !(error instanceof Error)) return error as Error
  if (error.name === 'AbortError') return serverError('ABORTED', 'The client has gone', error)
  const code = 'clickhouseCode' in error ? Number(error.clickhouseCode) : Number.NaN
  return Number.isInteger(code)
    ? new ServerError(code, error.message, { cause: error })
    : serverError('BAD_ARGUMENTS', error.message, error)
}

function ownerHint (ownerFile: string): string {
  try {
    const pid = Number(readFileSync(ownerFile, 'utf8'))
    process.kill(pid, 0)
    return pid === process.pid ? '' : `: process ${pid} has it open (one process per data directory)`
  } catch {
    return ': it is in use by another process, or its files cannot be read'
  }
}
