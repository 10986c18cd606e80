import { MillraceError, parseTime, streams } from '../contract/index.ts'
import { ParameterFaults, parseChoice, parseLimit, refuseUnknown, valuesOf } from '../http/index.ts'
import { REASONS, STATES } from './dead-letter.ts'
import type { RawQuery } from '../http/index.ts'
import type { LetterCursor, LetterFilter, LetterPage } from './queries.ts'

/** Letters of one page, and of one bulk retry. */
const LIMIT = { standard: 100, max: 1_000 }
/** Times that every table holds, see contract/time.ts. */
const TIME_MS_MAX = Date.UTC(2106, 0)
const CURSOR = /^(\d{1,13})~(.{1,300})$/
const FILTERS = ['stream', 'reason', 'state', 'from', 'to', 'limit'] as const

/**
 * A page of dead letters: `stream`, `reason`, `state`, `from`, `to` (of arrival, `[from, to)`), `limit`,
 * `cursor`. Throws MillraceError with `invalid_parameter`, `invalid_time` or `invalid_limit`.
 */
export function parseListRequest (query: RawQuery): LetterPage {
  const faults = new ParameterFaults()
  const filter = parseFilter(query, faults)
  const limit = parseLimit(query, LIMIT, faults)
  const after = parseCursor(query, faults)
  refuseUnknown(query, [...FILTERS, 'cursor'], faults)
  faults.throwIfAny()
  return { filter, order: 'newest', limit, after }
}

export interface BulkRequest {
  page: LetterPage
  dryRun: boolean
}

/** A bulk retry: the oldest letters of a filter, not retried yet. Throws as `parseListRequest` does. */
export function parseBulkRequest (query: RawQuery): BulkRequest {
  const faults = new ParameterFaults()
  const filter = parseFilter(query, faults)
  const limit = parseLimit(query, LIMIT, faults)
  const dryRun = parseChoice(query, 'dry_run', ['true', 'false'], 'false', faults) === 'true'
  refuseUnknown(query, [...FILTERS, 'dry_run'], faults)
  faults.throwIfAny()
  const states = filter.states.filter((state) => state !== 'retried')
  return { page: { filter: { ...filter, states }, order: 'oldest', limit, after: undefined }, dryRun }
}

/** Whether a retry is only to be tried out. Throws MillraceError with `invalid_parameter`. */
export function parseDryRun (query: RawQuery): boolean {
  const faults = new ParameterFaults()
  const dryRun = parseChoice(query, 'dry_run', ['true', 'false'], 'false', faults) === 'true'
  refuseUnknown(query, ['dry_run'], faults)
  faults.throwIfAny()
  return dryRun
}

/** The id of a path. Throws MillraceError `dead_letter_not_found` for what no letter can be named. */
export function parseLetterId (text: string): string {
  if (text.length <= 300 && /^[\w.-]+$/.test(text)) return text
  throw new MillraceError('dead_letter_not_found', 'No dead letter has this id')
}

export function cursorText ({ receivedAtMs, id }: LetterCursor): string {
  return `${receivedAtMs}~${id}`
}

function parseFilter (query: RawQuery, faults: ParameterFaults): LetterFilter {
  const stream = parseChoice(query, 'stream', ['', ...streams.map(({ name }) => name)], '', faults)
  const state = parseChoice(query, 'state', ['', ...STATES], '', faults)
  return {
    stream: stream === '' ? undefined : stream,
    reason: parseReason(query, faults),
    states: state === '' ? STATES : [state],
    fromMs: parseInstant(query, 'from', faults) ?? 0,
    toMs: parseInstant(query, 'to', faults) ?? TIME_MS_MAX
  }
}

function parseReason (query: RawQuery, faults: ParameterFaults): string | undefined {
  const reason = parseChoice(query, 'reason', ['', ...REASONS], '', faults)
  return reason === '' ? undefined : reason
}

function parseInstant (query: RawQuery, name: string, faults: ParameterFaults): number | undefined {
  const [text, ...others] = valuesOf(query, name)
  if (text === undefined) return undefined
  const ms = others.length === 0 ? parseTime(text) : undefined
  if (ms === undefined) return faults.add(name, 'invalid_time', 'must be one RFC 3339 time')
  return Math.min(Math.max(ms, 0), TIME_MS_MAX)
}

function parseCursor (query: RawQuery, faults: ParameterFaults): LetterCursor | undefined {
  const [text, ...others] = valuesOf(query, 'cursor')
  if (text === undefined) return undefined
  const [, receivedAtMs, id] = CURSOR.exec(text) ?? []
  if (id !== undefined && others.length === 0) return { receivedAtMs: Number(receivedAtMs), id }
  return faults.add('cursor', 'invalid_parameter', 'must be next_cursor of an earlier answer')
}
