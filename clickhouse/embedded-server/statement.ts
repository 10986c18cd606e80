import { SqlTokenError, sqlTokens } from '../sql-tokens.ts'
import { serverError } from './server-error.ts'
import type { SqlToken } from '../sql-tokens.ts'

/** What a request asks of the engine. */
export type Statement = QueryStatement | InsertStatement

export interface QueryStatement {
  kind: 'query'
  sql: string
  /** Output format named in the text. */
  format: string | undefined
  /** True where losing the client may stop it: nothing is written. */
  reads: boolean
  /** A function that it calls and that reaches outside the database. */
  outsideFunction: string | undefined
}

/** An insert whose rows come as bytes; they are handed to the engine untouched. */
export interface InsertStatement {
  kind: 'insert'
  table: string
  columns: string[]
  settings: Record<string, string>
  format: string
  /** Where in the text the rows start. */
  dataStart: number
}

/** Statements of the read-only user. Others would be refused by readonly = 1 too, but not all of them. */
const READING = new Set(['SELECT', 'WITH', 'FROM', '(', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN'])

/**
 * Functions that readonly = 1 lets through and that reach outside the database: file() as a scalar reads any
 * file of the machine, catboostEvaluate() loads one.
 */
const OUTSIDE_FUNCTIONS = new Set(['FILE', 'CATBOOSTEVALUATE'])

/**
 * Reads enough of a statement to run it safely; for what `parseInsert` does not take. Throws ServerError:
 * more than one statement, INTO OUTFILE, FROM INFILE (this server has no files to give), text that the lexer
 * refuses.
 */
export function parseQuery (sql: string): QueryStatement {
  const tokens = tokenize(sql)
  const [first] = tokens
  if (first === undefined) throw serverError('SYNTAX_ERROR', 'Empty query')
  const end = tokens.findIndex((token) => token.kind === 'symbol' && token.value === ';')
  if (end !== -1 && end < tokens.length - 1) {
    throw serverError('SYNTAX_ERROR', 'Multi-statements are not allowed')
  }
  if (hasPhrase(tokens, 'INTO', 'OUTFILE') || hasPhrase(tokens, 'FROM', 'INFILE')) {
    throw serverError('INTO_OUTFILE_NOT_ALLOWED', 'INTO OUTFILE and FROM INFILE are not allowed')
  }
  return {
    kind: 'query',
    sql,
    format: outputFormat(tokens),
    reads: READING.has(upper(first)),
    outsideFunction: outsideFunction(tokens)
  }
}

/** Throws ServerError READONLY where the read-only user may not run this statement. */
export function assertReadable (statement: Statement): void {
  if (statement.kind === 'insert' || !statement.reads) {
    throw serverError('READONLY', 'Cannot execute query in readonly mode')
  }
  if (statement.outsideFunction !== undefined) {
    throw serverError('ACCESS_DENIED', `Not enough privileges to call ${statement.outsideFunction}`)
  }
}

/**
 * Takes `INSERT INTO t [(columns)] [SETTINGS …] FORMAT name` apart, reading no further than the name of the
 * format, or returns undefined: anything else is left to the engine's own parser.
 */
export function parseInsert (sql: string): InsertStatement | undefined {
  try {
    return readInsert(new TokenReader(sql))
  } catch (error) {
    if (error instanceof SqlTokenError) return undefined
    throw error
  }
}

function readInsert (reader: TokenReader): InsertStatement | undefined {
  if (!reader.word('INSERT')) return undefined
  reader.word('INTO')
  reader.word('TABLE')
  const table = reader.name()
  if (table === undefined) return undefined
  const columns = reader.symbol('(') ? readColumns(reader) : []
  if (columns === undefined) return undefined
  const settings = reader.word('SETTINGS') ? readSettings(reader) : {}
  if (settings === undefined || !reader.word('FORMAT')) return undefined
  const format = reader.peek()
  if (format?.kind !== 'word' || format.value.toUpperCase() === 'VALUES') return undefined
  return { kind: 'insert', table, columns, settings, format: format.value, dataStart: format.end }
}

function readColumns (reader: TokenReader): string[] | undefined {
  const columns: string[] = []
  do {
    const column = reader.name()
    if (column === undefined) return undefined
    columns.push(column)
  } while (reader.symbol(','))
  return reader.symbol(')') ? columns : undefined
}

function readSettings (reader: TokenReader): Record<string, string> | undefined {
  const settings: Record<string, string> = {}
  do {
    const name = reader.name()
    if (name === undefined || !reader.symbol('=')) return undefined
    const value = reader.take()
    if (value === undefined || value.kind === 'symbol') return undefined
    settings[name] = value.value
  } while (reader.symbol(','))
  return settings
}

/** Walks the tokens of a statement's head, one look ahead, without reading the data behind it. */
class TokenReader {
  private readonly tokens: Iterator<SqlToken, void>
  private next: SqlToken | undefined

  constructor (sql: string) {
    this.tokens = sqlTokens(sql)
    this.next = this.advance()
  }

  word (value: string): boolean {
    if (this.next?.kind !== 'word' || this.next.value.toUpperCase() !== value) return false
    this.next = this.advance()
    return true
  }

  symbol (value: string): boolean {
    if (this.next?.kind !== 'symbol' || this.next.value !== value) return false
    this.next = this.advance()
    return true
  }

  /** A name, possibly dotted. */
  name (): string | undefined {
    const parts: string[] = []
    do {
      if (this.next?.kind !== 'word' && this.next?.kind !== 'quoted_word') return undefined
      parts.push(this.next.value)
      this.next = this.advance()
    } while (this.symbol('.'))
    return parts.join('.')
  }

  take (): SqlToken | undefined {
    const token = this.next
    this.next = this.advance()
    return token
  }

  /** The next token, without looking beyond it: data may follow. */
  peek (): SqlToken | undefined {
    return this.next
  }

  private advance (): SqlToken | undefined {
    const { value, done } = this.tokens.next()
    return done === true ? undefined : value ?? undefined
  }
}

function tokenize (sql: string): SqlToken[] {
  try {
    return [...sqlTokens(sql)]
  } catch (error) {
    if (error instanceof SqlTokenError) throw serverError('SYNTAX_ERROR', error.message, error)
    throw error
  }
}

function outputFormat (tokens: readonly SqlToken[]): string | undefined {
  const index = tokens.findLastIndex((token) => upper(token) === 'FORMAT')
  const format = tokens[index + 1]
  return index > 0 && format?.kind === 'word' ? format.value : undefined
}

function outsideFunction (tokens: readonly SqlToken[]): string | undefined {
  return tokens.find((token, index) => {
    const isName = token.kind === 'word' || token.kind === 'quoted_word'
    return isName && tokens[index + 1]?.value === '(' && OUTSIDE_FUNCTIONS.has(token.value.toUpperCase())
  })?.value
}

function hasPhrase (tokens: readonly SqlToken[], first: string, second: string): boolean {
  return tokens.some((token, index) => {
    const next = tokens[index + 1]
    return upper(token) === first && next !== undefined && upper(next) === second
  })
}

/** Keywords are words; the same text in quotes is a name, and never matches one. */
function upper (token: SqlToken): string {
  return token.kind === 'word' || token.kind === 'symbol' ? token.value.toUpperCase() : ''
}
