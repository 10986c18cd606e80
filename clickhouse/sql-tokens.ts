/**
 * Splits ClickHouse SQL into tokens, by the rules of ClickHouse's own lexer (`src/Parsers/Lexer.cpp`):
 * enough to find where statements end and which words they hold, so that quotes and comments cannot hide or
 * fake a word. It decides nothing about grammar.
 */
export interface SqlToken {
  kind: 'word' | 'quoted_word' | 'string' | 'number' | 'symbol'
  /** Words without their quotes, strings with escapes resolved, symbols as they stand. */
  value: string
  start: number
  end: number
}

/** SQL that this lexer will not vouch for. */
export class SqlTokenError extends Error {
  readonly code = 'sql_token'
  readonly retryable = false
  override readonly name = 'SqlTokenError'
}

/** The tokens of `sql` from `start` on, lazily: what follows an insert's FORMAT is data, and is not read. */
export function * sqlTokens (sql: string, start = 0): Generator<SqlToken, void, undefined> {
  let position = start
  while (position < sql.length) {
    const next = skipBlank(sql, position)
    if (next > position) {
      position = next
      continue
    }
    const token = readToken(sql, position)
    yield token
    position = token.end
  }
}

/** The statements of a script, without their semicolons and without what holds only comments. */
export function splitStatements (sql: string): string[] {
  const statements: string[] = []
  let start: number | undefined
  let end = 0
  for (const token of sqlTokens(sql)) {
    if (token.kind === 'symbol' && token.value === ';') {
      if (start !== undefined) statements.push(sql.slice(start, end))
      start = undefined
    } else {
      start ??= token.start
      end = token.end
    }
  }
  if (start !== undefined) statements.push(sql.slice(start, end))
  return statements
}

/** A string as a SQL literal: what stands between the quotes cannot end it. */
export function quoteString (text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`
}

/** A name as a quoted identifier. */
export function quoteIdentifier (name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&').replaceAll('\0', '\\0')}\``
}

const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y
const NUMBER = /[0-9][A-Za-z0-9_]*/y
const HEREDOC = /\$[A-Za-z0-9_]*\$/y
const ESCAPES: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', 0: '\0' }

function readToken (sql: string, start: number): SqlToken {
  const character = sql.charAt(start)
  if (character === "'") return readQuoted(sql, start, "'", 'string')
  if (character === '`' || character === '"') return readQuoted(sql, start, character, 'quoted_word')
  const word = matchAt(WORD, sql, start)
  if (word !== undefined) return { kind: 'word', value: word, start, end: start + word.length }
  const number = matchAt(NUMBER, sql, start)
  if (number !== undefined) return { kind: 'number', value: number, start, end: start + number.length }
  const heredoc = matchAt(HEREDOC, sql, start)
  if (heredoc !== undefined) return readHeredoc(sql, start, heredoc)
  // ClickHouse reads typographic quotes as quotes; a NUL would end the text for the engine but not for us.
  if ('\u2018\u2019\u201C\u201D\0'.includes(character)) {
    throw new SqlTokenError(`Unsupported character U+${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  }
  return { kind: 'symbol', value: character, start, end: start + 1 }
}

function readQuoted (sql: string, start: number, quote: string, kind: 'string' | 'quoted_word'): SqlToken {
  let value = ''
  let position = start + 1
  while (position < sql.length) {
    const character = sql.charAt(position)
    if (character === '\\') {
      const escaped = sql.charAt(position + 1)
      value += ESCAPES[escaped] ?? escaped
      position += 2
    } else if (character === quote) {
      if (sql.charAt(position + 1) !== quote) return { kind, value, start, end: position + 1 }
      value += quote
      position += 2
    } else {
      value += character
      position += 1
    }
  }
  throw new SqlTokenError(`The quote at character ${start + 1} is never closed`)
}

function readHeredoc (sql: string, start: number, tag: string): SqlToken {
  const close = sql.indexOf(tag, start + tag.length)
  if (close === -1) throw new SqlTokenError(`The text at character ${start + 1} is never closed`)
  return { kind: 'string', value: sql.slice(start + tag.length, close), start, end: close + tag.length }
}

/** Position after the blank or the comment at `start`, or `start` where there is neither. */
function skipBlank (sql: string, start: number): number {
  const character = sql.charAt(start)
  if (/\s/.test(character)) return start + 1
  if (sql.startsWith('--', start) || sql.startsWith('# ', start) || sql.startsWith('#!', start)) {
    const lineEnd = sql.indexOf('\n', start)
    return lineEnd === -1 ? sql.length : lineEnd + 1
  }
  if (!sql.startsWith('/*', start)) return start
  const commentEnd = sql.indexOf('*/', start + 2)
  if (commentEnd === -1) throw new SqlTokenError(`The comment at character ${start + 1} is never closed`)
  return commentEnd + 2
}

function matchAt (pattern: RegExp, sql: string, start: number): string | undefined {
  pattern.lastIndex = start
  return pattern.exec(sql)?.[0]
}
