import { describe, expect, it } from 'vitest'
import { aggregatesQuery, toAggregatesAnswer } from '../../query-api/queries/aggregates.ts'
import { profilesQuery, toProfiles } from '../../query-api/queries/profiles.ts'
import type { AggregatesRequest } from '../../query-api/parse-aggregates-request.ts'

const HOSTILE = "x' OR 1=1; DROP TABLE user_tags; -- {cookie:String} \\' \u0000"
const T0 = Date.UTC(2022, 2, 22, 12, 15)

function request (changes: Partial<AggregatesRequest> = {}): AggregatesRequest {
  return {
    timeRange: { fromMs: T0, toMs: T0 + 180_000 }, action: 'VIEW', aggregates: ['COUNT'], filters: [], ...changes
  }
}

describe('the profiles query', () => {
  it('has this text, and its values as parameters', () => {
    const { sql, params } = profilesQuery('acme', [
      { cookie: HOSTILE, timeRange: { fromMs: 5, toMs: 20 }, limit: 7 },
      { cookie: 'b', timeRange: { fromMs: 1, toMs: 10 }, limit: 200 }
    ])
    expect(sql).toBe(`\
SELECT time, cookie, country, device, action, origin, product_id, product_id_is_number, brand_id, category_id, price, time_text, event_id, event_id_origin
FROM user_tags_by_cookie
WHERE tenant = {tenant:String}
  AND cookie IN {cookies:Array(String)}
  AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND toUnixTimestamp64Milli(time) >= transform(cookie, {cookies:Array(String)}, {from_ms_each:Array(Int64)}, 0)
  AND toUnixTimestamp64Milli(time) < transform(cookie, {cookies:Array(String)}, {to_ms_each:Array(Int64)}, 0)
ORDER BY cookie, action, time DESC, _partition DESC, _offset DESC
LIMIT {limit:UInt16} BY cookie, action`)
    expect(params).toEqual({
      tenant: 'acme',
      cookies: [HOSTILE, 'b'],
      from_ms: 1,
      to_ms: 20,
      from_ms_each: [5, 1],
      to_ms_each: [20, 10],
      limit: 200
    })
  })

  it('looks up no range for each shopper where all ask for the same one', () => {
    const timeRange = { fromMs: 1, toMs: 10 }
    const { sql, params } = profilesQuery('acme', [
      { cookie: HOSTILE, timeRange, limit: 7 }, { cookie: 'b', timeRange, limit: 200 }
    ])
    expect(sql).not.toContain('_each')
    expect(params).toEqual({ tenant: 'acme', cookies: [HOSTILE, 'b'], from_ms: 1, to_ms: 10, limit: 200 })
  })

  it('never asks for times that no table holds', () => {
    const timeRange = { fromMs: Date.UTC(1, 0), toMs: Date.UTC(9999, 0) }
    const { params } = profilesQuery('acme', [{ cookie: 'a', timeRange, limit: 1 }])
    expect(params).toMatchObject({ from_ms: 0, to_ms: Date.UTC(2106, 0) })
  })

  it('gives every request its own rows, its own limit, and empty lists where there are none', () => {
    const timeRange = { fromMs: 0, toMs: 1 }
    const requests = [{ cookie: 'a', timeRange, limit: 1 }, { cookie: 'b', timeRange, limit: 200 },
      { cookie: '__proto__', timeRange, limit: 200 }]
    const row = (cookie: string, action: string) => ({ cookie, action })
    const profiles = toProfiles(requests, [
      row('a', 'BUY'), row('a', 'VIEW'), row('a', 'VIEW'), row('b', 'VIEW'), row('b', 'VIEW')
    ])
    expect(profiles.map(({ views, buys }) => [views.length, buys.length])).toEqual([[1, 1], [2, 0], [0, 0]])
  })
})

describe('the aggregates query', () => {
  it('has this text, and its values as parameters', () => {
    const { sql, params } = aggregatesQuery('acme', request({
      filters: [{ name: 'origin', value: HOSTILE }, { name: 'category_id', value: 'c' }]
    }))
    expect(sql).toBe(`\
SELECT
  toUnixTimestamp(minute) AS minute_s,
  toString(sum(count)) AS count_text,
  toString(sum(sum_price)) AS sum_price_text
FROM user_tags_by_minute
WHERE tenant = {tenant:String}
  AND action = {action:String}
  AND minute >= toDateTime({from_s:UInt32}, 'UTC')
  AND minute < toDateTime({to_s:UInt32}, 'UTC')
  AND origin = {origin:String}
  AND category_id = {category_id:String}
GROUP BY minute`)
    expect(params).toEqual({
      tenant: 'acme', action: 'VIEW', from_s: T0 / 1000, to_s: T0 / 1000 + 180, origin: HOSTILE, category_id: 'c'
    })
  })

  it('names no filter that the request does not have', () => {
    expect(aggregatesQuery('acme', request()).sql).not.toMatch(/origin|brand|category/)
  })

  it('is answered with every minute in order, zeros included, and sums of 64 bits to the last digit', () => {
    const rows = [
      { minute_s: T0 / 1000 + 120, count_text: '1', sum_price_text: '-9223372036854775808' },
      { minute_s: T0 / 1000, count_text: '18446744073709551615', sum_price_text: '9223372036854775807' }
    ]
    const filters = [{ name: 'brand_id' as const, value: 'pear' }]
    expect(toAggregatesAnswer(request({ aggregates: ['SUM_PRICE', 'COUNT'], filters }), rows)).toEqual({
      columns: ['1m_bucket', 'action', 'brand_id', 'sum_price', 'count'],
      rows: [
        ['2022-03-22T12:15:00', 'VIEW', 'pear', '9223372036854775807', '18446744073709551615'],
        ['2022-03-22T12:16:00', 'VIEW', 'pear', '0', '0'],
        ['2022-03-22T12:17:00', 'VIEW', 'pear', '-9223372036854775808', '1']
      ]
    })
  })

  it('never asks for minutes that no table holds, and still answers them with zeros', () => {
    const timeRange = { fromMs: Date.UTC(9999, 11, 31, 23, 58), toMs: Date.UTC(9999, 11, 31, 23, 59) }
    expect(aggregatesQuery('acme', request({ timeRange })).params).toMatchObject({ from_s: 4291747200, to_s: 4291747200 })
    expect(toAggregatesAnswer(request({ timeRange }), []).rows).toEqual([['9999-12-31T23:58:00', 'VIEW', '0']])
  })
})
