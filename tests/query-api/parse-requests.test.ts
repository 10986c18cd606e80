import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../contract/index.ts'
import { parseAggregatesRequest } from '../../query-api/parse-aggregates-request.ts'
import { parseProfileRequest } from '../../query-api/parse-profile-request.ts'
import { minutesOf } from '../../query-api/parse-time-range.ts'
import type { RawQuery } from '../../http/index.ts'

const RANGE = '2022-03-22T12:15:00.000_2022-03-22T12:30:00.000'
const MINUTES = '2022-03-22T12:15:00_2022-03-22T12:25:00'
const AGGREGATES: RawQuery = { time_range: MINUTES, action: 'VIEW', aggregates: 'COUNT' }

function codesOf (parse: () => unknown): string[] {
  try {
    parse()
  } catch (error) {
    if (error instanceof MillraceError) {
      expect(error.code).toBe(error.faults[0]?.code)
      return error.faults.map(({ code }) => code)
    }
    throw error
  }
  return []
}

const profileCodes = (query: RawQuery, cookie = 'c') => codesOf(() => parseProfileRequest(cookie, query))
const aggregatesCodes = (query: RawQuery) => {
  return codesOf(() => parseAggregatesRequest({ ...AGGREGATES, ...query }))
}

describe('a profile request', () => {
  it('reads times with 0 to 3 digits of a fraction as UTC milliseconds', () => {
    const range = (timeRange: string) => parseProfileRequest('c', { time_range: timeRange }).timeRange
    const t0 = Date.UTC(2022, 2, 22, 12, 15)
    expect(range('2022-03-22T12:15:00_2022-03-22T12:15:00.5')).toEqual({ fromMs: t0, toMs: t0 + 500 })
    expect(range('2022-03-22T12:15:00.05_2022-03-22T12:15:00.051')).toEqual({ fromMs: t0 + 50, toMs: t0 + 51 })
  })

  it('takes an empty range, years outside those of any event, and every limit from 0 to 200', () => {
    const empty = '2022-03-22T12:15:00_2022-03-22T12:15:00.000'
    expect(parseProfileRequest('c', { time_range: empty }).limit).toBe(200)
    expect(profileCodes({ time_range: '0000-01-01T00:00:00_9999-12-31T23:59:59.999' })).toEqual([])
    for (const limit of [0, 1, 200]) {
      expect(parseProfileRequest('c', { time_range: RANGE, limit: String(limit) }).limit).toBe(limit)
    }
  })

  it.each([
    '', '_', RANGE.replace('_', ''), `${RANGE}_`, RANGE.replace('_', '__'), RANGE.replaceAll('T', ' '),
    RANGE.replaceAll('T', 't'), RANGE.replaceAll('.000', '.000Z'), RANGE.replaceAll('.000', '.'),
    RANGE.replaceAll('.000', '.0000'), RANGE.replaceAll('.000', '+00:00'), '2022-03-22_2022-03-23',
    '2022-03-22T12:15_2022-03-22T12:30', '2022-02-29T00:00:00_2022-03-22T12:30:00',
    '2022-03-22T12:15:00_2022-03-22T24:00:00', '2022-03-22T12:15:60_2022-03-22T12:30:00',
    '2022-3-22T12:15:00_2022-03-22T12:30:00', '2022-03-22T12:30:00_2022-03-22T12:29:59.999',
    ` ${RANGE}`, `${RANGE}\n`, '٢٠٢٢-03-22T12:15:00_2022-03-22T12:30:00'
  ])('refuses the time range %j', (timeRange) => {
    expect(profileCodes({ time_range: timeRange })).toEqual(['invalid_time_range'])
  })

  it('refuses a missing or repeated time range', () => {
    expect(profileCodes({})).toEqual(['invalid_time_range'])
    expect(profileCodes({ time_range: [RANGE, RANGE] })).toEqual(['invalid_time_range'])
  })

  it.each(['', '-1', '201', '1000', '1.5', '1e2', ' 5', '+5', '0x10', 'ten', ['5', '5']])(
    'refuses the limit %j', (limit) => {
      expect(profileCodes({ time_range: RANGE, limit })).toEqual(['invalid_limit'])
    })

  it('refuses a cookie that no event can have', () => {
    for (const cookie of ['', 'a\0b', 'x'.repeat(1025), '\u{1F36A}'.repeat(1025), '\uD800']) {
      expect(profileCodes({ time_range: RANGE }, cookie)).toEqual(['invalid_parameter'])
    }
    expect(profileCodes({ time_range: RANGE }, '\u{1F36A}'.repeat(1024))).toEqual([])
  })

  it('refuses an unknown parameter, and names every fault at once', () => {
    expect(profileCodes({ time_range: RANGE, limt: '5' })).toEqual(['invalid_parameter'])
    expect(profileCodes({ limit: 'x', nope: '' }, '')).toEqual([
      'invalid_parameter', 'invalid_time_range', 'invalid_limit', 'invalid_parameter'
    ])
  })
})

describe('an aggregates request', () => {
  it('keeps the order of the aggregates, under either name of the parameter', () => {
    const aggregates = (query: RawQuery) => parseAggregatesRequest(query).aggregates
    const { time_range: timeRange, action } = AGGREGATES as Record<string, string>
    const base = { time_range: timeRange as string, action: action as string }
    expect(aggregates({ ...base, aggregates: ['SUM_PRICE', 'COUNT'] })).toEqual(['SUM_PRICE', 'COUNT'])
    expect(aggregates({ ...base, 'aggregates[]': ['COUNT', 'SUM_PRICE'] })).toEqual(['COUNT', 'SUM_PRICE'])
    expect(aggregates({ ...base, 'aggregates[]': 'SUM_PRICE', aggregates: 'COUNT' })).toEqual(['SUM_PRICE', 'COUNT'])
    expect(aggregates({ ...base, 'aggregates[]': 'COUNT' })).toEqual(['COUNT'])
  })

  it('lists filters in the order of the columns, whatever their order in the query', () => {
    const { filters } = parseAggregatesRequest({ category_id: 'c', brand_id: 'null', origin: 'a|b', ...AGGREGATES })
    expect(filters).toEqual([
      { name: 'origin', value: 'a|b' }, { name: 'brand_id', value: 'null' }, { name: 'category_id', value: 'c' }
    ])
  })

  it.each([
    '2022-03-22T12:15:01_2022-03-22T12:16:00', '2022-03-22T12:15:00_2022-03-22T12:16:30',
    '2022-03-22T12:15:00.500_2022-03-22T12:16:00', '2022-03-22T12:15:00.000_2022-03-22T12:16:00.000',
    '2022-03-22T12:16:00_2022-03-22T12:15:00', '2022-03-22T12:15:00_2022-03-22T12:26:00',
    '2022-03-22T12:15:00Z_2022-03-22T12:16:00Z', '', [MINUTES, MINUTES]
  ])('refuses the time range %j', (timeRange) => {
    expect(aggregatesCodes({ time_range: timeRange })).toEqual(['invalid_time_range'])
  })

  it('takes an empty range and one of 10 minutes', () => {
    expect(aggregatesCodes({ time_range: '2022-03-22T12:15:00_2022-03-22T12:15:00' })).toEqual([])
    expect(minutesOf(parseAggregatesRequest(AGGREGATES).timeRange)).toHaveLength(10)
  })

  it.each(['', 'view', 'CLICK', 'VIEW ', ['VIEW', 'VIEW'], []])('refuses the action %j', (action) => {
    expect(aggregatesCodes({ action })).toEqual(['invalid_action'])
  })

  it.each(['', 'count', 'AVG', 'COUNT,SUM_PRICE', ['COUNT', 'COUNT'], ['COUNT', 'AVG'], []])(
    'refuses the aggregates %j', (aggregates) => {
      expect(aggregatesCodes({ aggregates })).toEqual(['invalid_aggregates'])
    })

  it('refuses one aggregate under both names of the parameter', () => {
    expect(aggregatesCodes({ 'aggregates[]': 'COUNT' })).toEqual(['invalid_aggregates'])
  })

  it.each(['origin', 'brand_id', 'category_id'])('refuses an empty, repeated, overlong or NUL %s', (name) => {
    for (const value of ['', ['a', 'b'], 'x'.repeat(1025), 'a\0']) {
      expect(aggregatesCodes({ [name]: value })).toEqual(['invalid_parameter'])
    }
  })

  it('refuses an unknown parameter instead of answering for all brands', () => {
    expect(aggregatesCodes({ brand: 'pear' })).toEqual(['invalid_parameter'])
  })
})
