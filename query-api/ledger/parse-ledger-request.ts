import { ParameterFaults, parseChoice, parseLimit, refuseUnknown, valuesOf } from '../../http/index.ts'
import { streams } from '../../contract/index.ts'
import { DAY_MS, parseWindow } from '../parse-window.ts'
import type { RawQuery } from '../../http/index.ts'
import type { TimeRange } from '../parse-time-range.ts'
import type { LedgerCursor } from './batch-queries.ts'

const MINUTE_MS = 60_000
/** Days in one ledger: the tables are read whole for it. */
const RANGE_DAYS_MAX = 31
/** What a DateTime of ClickHouse holds, in whole minutes. */
const TIME_MS_MAX = Math.floor(2 ** 32 / 60) * MINUTE_MS
const LIMIT = { standard: 200, max: 5_000 }
const CURSOR = /^(\d{1,10})~([a-z0-9_]{1,64})~(\d{1,10})$/

export interface LedgerRequest {
  /** Of arrival, in whole minutes. */
  timeRange: TimeRange
  /** Name of one stream; undefined: all of them. */
  stream: string | undefined
  recount: boolean
  limit: number
  after: LedgerCursor | undefined
}

/**
 * A request for the ledger. `from` and `to` are read by `parseWindow` and widened to whole minutes; without
 * them it is about the last day. Throws MillraceError with `invalid_time`, `invalid_time_range`,
 * `invalid_limit` or `invalid_parameter`.
 */
export function parseLedgerRequest (query: RawQuery, nowMs: number): LedgerRequest {
  const faults = new ParameterFaults()
  const window = parseWindow(query, { fromName: 'from', toName: 'to', defaultMs: DAY_MS, nowMs }, faults)
  if (window !== undefined && window.toMs - window.fromMs > RANGE_DAYS_MAX * DAY_MS + 1) {
    faults.add('from', 'invalid_time_range', `the ledger has at most ${RANGE_DAYS_MAX} days at once`)
  }
  const names = ['', ...streams.map(({ name }) => name)]
  const stream = parseChoice(query, 'stream', names, '', faults)
  const recount = parseChoice(query, 'recount', ['true', 'false'], 'false', faults)
  const limit = parseLimit(query, LIMIT, faults)
  const after = parseCursor(query, faults)
  refuseUnknown(query, ['from', 'to', 'stream', 'recount', 'limit', 'cursor'], faults)
  faults.throwIfAny()
  return {
    timeRange: wholeMinutes(window as TimeRange),
    stream: stream === '' ? undefined : stream,
    recount: recount === 'true',
    limit,
    after
  }
}

export function cursorText ({ minute_s: minute, stream, partition }: LedgerCursor): string {
  return `${minute}~${stream}~${partition}`
}

function parseCursor (query: RawQuery, faults: ParameterFaults): LedgerCursor | undefined {
  const [text, ...others] = valuesOf(query, 'cursor')
  if (text === undefined) return undefined
  const [, minute, stream, partition] = CURSOR.exec(text) ?? []
  const cursor = { minute_s: Number(minute), stream: stream as string, partition: Number(partition) }
  const inRange = Math.max(cursor.minute_s, cursor.partition) < 2 ** 32
  if (stream !== undefined && others.length === 0 && inRange) return cursor
  return faults.add('cursor', 'invalid_parameter', 'must be next_cursor of an earlier answer')
}

function wholeMinutes ({ fromMs, toMs }: TimeRange): TimeRange {
  return {
    fromMs: Math.max(0, Math.floor(fromMs / MINUTE_MS) * MINUTE_MS),
    toMs: Math.min(Math.ceil(toMs / MINUTE_MS) * MINUTE_MS, TIME_MS_MAX)
  }
}
