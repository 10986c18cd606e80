import { ParameterFaults, parseText, refuseUnknown, valuesOf } from '../http/index.ts'
import { parseMinuteRange } from './parse-time-range.ts'
import type { RawQuery } from '../http/index.ts'
import type { TimeRange } from './parse-time-range.ts'

/** Minutes in one answer. */
export const RANGE_MINUTES_MAX = 10

export const ACTIONS = ['VIEW', 'BUY'] as const
export const AGGREGATES = ['COUNT', 'SUM_PRICE'] as const
/** What a request may filter by, in the order in which an answer lists them. */
const FILTERS = ['origin', 'brand_id', 'category_id'] as const

export type Action = typeof ACTIONS[number]
export type Aggregate = typeof AGGREGATES[number]
export type FilterName = typeof FILTERS[number]

export interface Filter {
  name: FilterName
  value: string
}

export interface AggregatesRequest {
  /** Aligned to minutes. */
  timeRange: TimeRange
  action: Action
  /** One or two different ones, in the order of the query. */
  aggregates: readonly Aggregate[]
  /** In the order of FILTERS, each name at most once. */
  filters: readonly Filter[]
}

/**
 * An aggregates request from its query string. Throws MillraceError with `invalid_time_range`,
 * `invalid_action`, `invalid_aggregates` or `invalid_parameter`.
 */
export function parseAggregatesRequest (query: RawQuery): AggregatesRequest {
  const faults = new ParameterFaults()
  const timeRange = parseMinuteRange(query, RANGE_MINUTES_MAX, faults)
  const action = parseAction(query, faults)
  const aggregates = parseAggregates(query, faults)
  const filters = FILTERS.flatMap((name) => parseFilter(query, name, faults) ?? [])
  refuseUnknown(query, ['time_range', 'action', 'aggregates', 'aggregates[]', ...FILTERS], faults)
  faults.throwIfAny()
  return { timeRange, action, aggregates, filters } as AggregatesRequest
}

function parseAction (query: RawQuery, faults: ParameterFaults): Action | undefined {
  const values = valuesOf(query, 'action')
  const action = values.length === 1 ? ACTIONS.find((name) => name === values[0]) : undefined
  return action ?? faults.add('action', 'invalid_action', `must be one of ${ACTIONS.join(', ')}`)
}

function parseAggregates (query: RawQuery, faults: ParameterFaults): Aggregate[] | undefined {
  // The names of a query string keep the order of the URL, so `aggregates[]=…&aggregates=…` does too.
  const names = Object.keys(query).filter((name) => name === 'aggregates' || name === 'aggregates[]')
  const values = names.flatMap((name) => valuesOf(query, name))
  const aggregates = values.flatMap((value) => AGGREGATES.find((name) => name === value) ?? [])
  if (values.length === 0 || aggregates.length < values.length || new Set(values).size < values.length) {
    return faults.add('aggregates', 'invalid_aggregates', `must be ${AGGREGATES.join(' or ')}, each at most once`)
  }
  return aggregates
}

function parseFilter (query: RawQuery, name: FilterName, faults: ParameterFaults): Filter | undefined {
  const [text, ...others] = valuesOf(query, name)
  if (text === undefined) return undefined
  if (others.length > 0) return faults.add(name, 'invalid_parameter', 'must stand once')
  const value = parseText(name, text, faults)
  return value === undefined ? undefined : { name, value }
}
