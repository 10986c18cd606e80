import { MillraceError } from '../contract/index.ts'

/** Bytes of a batch, as sent and inflated. */
export const BATCH_BODY_BYTES_MAX = 1024 * 1024
export const BATCH_EVENTS_MAX = 1_000

/** Stands for a line of NDJSON that is no JSON. */
export const BROKEN_LINE = Symbol('broken line')

/** What came in one request to a route that takes batches. */
export interface EventBatch {
  /** Nothing is known of them yet. */
  items: readonly unknown[]
  /** True for one event that stood alone, without an array around it. */
  single: boolean
}

/**
 * A JSON text of one event or an array of events. Keys may be anything, `__proto__` too: what reads the items
 * refuses keys that it does not know. Throws `empty_body`, `malformed_json`, `too_many_events`.
 */
export function parseBatch (text: string): EventBatch {
  if (text === '') throw new MillraceError('empty_body', 'The body is empty')
  const value = parseJson(withoutMark(text))
  if (value === BROKEN_LINE) throw new MillraceError('malformed_json', 'The body is not valid JSON')
  if (!Array.isArray(value)) return { items: [value], single: true }
  if (value.length > BATCH_EVENTS_MAX) throw tooManyEvents()
  return { items: value, single: false }
}

/** One event a line; blank lines count for nothing. Throws `empty_body`, `too_many_events`. */
export function parseLines (text: string): EventBatch {
  if (text === '') throw new MillraceError('empty_body', 'The body is empty')
  const items: unknown[] = []
  let start = 0
  while (start < text.length) {
    const found = text.indexOf('\n', start)
    const end = found === -1 ? text.length : found
    const line = start === 0 ? withoutMark(text.slice(0, end)) : text.slice(start, end)
    if (line.trim() !== '') {
      if (items.length === BATCH_EVENTS_MAX) throw tooManyEvents()
      items.push(parseJson(line))
    }
    start = end + 1
  }
  return { items, single: false }
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return BROKEN_LINE
  }
}

/** RFC 8259 section 8.1: a reader may ignore a byte order mark. */
function withoutMark (text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

function tooManyEvents (): MillraceError {
  return new MillraceError('too_many_events', `A batch has at most ${BATCH_EVENTS_MAX} events`)
}
