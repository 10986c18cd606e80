import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseQuestion } from '../../../query-api/questions/parse-question.ts'
import { planQuestion } from '../../../query-api/questions/plan-question.ts'
import type { QuestionInput } from '../../../query-api/questions/parse-question.ts'

const TIME = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }
const COUNT: QuestionInput = { stream: 'user_tags', measures: [{ fn: 'count' }], time: TIME }
const plan = (changes: Partial<QuestionInput>) => planQuestion(parseQuestion({ ...COUNT, ...changes }), 'acme')

const EVERYTHING: QuestionInput = {
  ...COUNT,
  measures: [{ fn: 'count' }, { fn: 'sum', field: 'price' }, { fn: 'quantile', field: 'price', level: 0.95 }],
  group_by: ['brand_id', 'product_id'],
  time: { ...TIME, bucket: '1d', timezone: 'Europe/Warsaw' },
  filters: { and: [{ field: 'origin', op: 'in', value: ['a', 'b'] }, { not: { field: 'price', op: '<', value: 5 } }] },
  top: { n: 3, by: 'sum_price' },
  order_by: [{ by: 'p95_price', direction: 'desc' }],
  limit: 50,
  fill: true
}

test.each([
  ['rollup', { ...COUNT, measures: [{ fn: 'avg', field: 'price' }], group_by: ['origin'], time: { ...TIME, bucket: '1m' } }],
  ['everything', EVERYTHING],
  ['uneven-buckets', { ...COUNT, time: { from: '2026-03-28T00:00:00Z', to: '2026-03-31T00:00:00Z', bucket: '1d', timezone: 'Europe/Warsaw' } }]
] as Array<[string, QuestionInput]>)('the SQL of %s is the golden one', async (name, question) => {
  const { sql } = planQuestion(parseQuestion(question), 'acme')
  await expect(`${sql}\n`).toMatchFileSnapshot(`golden/${name}.sql`)
})

test('no value of a question is part of the text, and the tenant is always bound', () => {
  const value = 'needle\'"`{x:String}--'
  const { sql, scanSql, params } = plan({
    filters: [{ field: 'origin', op: '=', value }, { field: 'country', op: 'in', value: [value] }]
  })
  for (const text of [sql, scanSql]) {
    expect(text).not.toContain('needle')
    expect(text).toContain('tenant = {tenant:String}')
  }
  expect(params).toMatchObject({ tenant: 'acme', p0: value, p1: [value] })
  const everything = planQuestion(parseQuestion(EVERYTHING), 'acme')
  expect(everything.sql.match(/tenant = \{tenant:String\}/g)).toHaveLength(2)
  expect(everything.scans).toBe(2)
})

describe('the planner', () => {
  test.each<[string, Partial<QuestionInput>]>([
    ['counts', {}],
    ['sums and averages of its measures', { measures: [{ fn: 'sum', field: 'price' }, { fn: 'avg', field: 'price' }] }],
    ['distinct values of its dimensions', { measures: [{ fn: 'uniq', field: 'brand_id' }] }],
    ['groups and filters of its dimensions', {
      group_by: ['origin'], filters: { not: { field: 'action', op: '=', value: 'BUY' } }
    }],
    ['minutes', { time: { ...TIME, bucket: '1m' } }],
    ['days of a zone with whole minutes', { time: { ...TIME, bucket: '1d', timezone: 'Asia/Kathmandu' } }]
  ])('takes the rollup for %s', (_what, changes) => {
    expect(plan(changes)).toMatchObject({ source: 'rollup' })
  })

  test.each<[string, Partial<QuestionInput>]>([
    ['the rollup has no cookie to group by', { group_by: ['cookie'] }],
    ['the rollup has no country to filter by', { filters: [{ or: [{ field: 'country', op: '=', value: 'PL' }] }] }],
    ['the rollup has no min_price', { measures: [{ fn: 'min', field: 'price' }] }],
    ['the rollup has no uniq_cookie', { measures: [{ fn: 'uniq', field: 'cookie' }] }],
    ['the range does not begin and end on whole minutes', { time: { ...TIME, from: '2026-03-01T00:00:00.001Z' } }],
    ['the buckets do not begin on whole minutes', {
      time: { from: '2026-03-01T00:00:00Z', to: '2026-03-01T00:10:00Z', bucket: '30s' }
    }],
    ['the stream has no rollup', { stream: 'analytics' }]
  ])('takes the raw table where %s', (reason, changes) => {
    expect(plan(changes)).toMatchObject({ source: 'raw', reason })
  })
})

describe('a question is refused', () => {
  const price = { field: 'price', op: '<', value: 1 } as const
  test.each<[string, string, Partial<QuestionInput>]>([
    ['unknown_value', '/stream', { stream: 'nothing' }],
    ['unknown_field', '/group_by/0', { group_by: ['tenant'] }],
    ['unknown_field', '/filters/0/field', { filters: [{ field: 'event_id', op: '=', value: 'x' }] }],
    ['invalid_query', '/group_by/0', { group_by: ['time'] }],
    ['invalid_query', '/measures/0/fn', { measures: [{ fn: 'sum', field: 'cookie' }] }],
    ['invalid_query', '/measures/1', { measures: [{ fn: 'count' }, { fn: 'count' }] }],
    ['missing_field', '/measures/0/field', { measures: [{ fn: 'sum' }] }],
    ['invalid_query', '/measures/0', { measures: [{ fn: 'quantile', field: 'price' }] }],
    ['out_of_range', '/measures/0/level', { measures: [{ fn: 'quantile', field: 'price', level: 0.12345 }] }],
    ['invalid_query', '/filters/op', { filters: { ...price, op: 'contains' } }],
    ['wrong_type', '/filters/value', { filters: { ...price, value: '1' } }],
    ['wrong_type', '/filters/value', { filters: { ...price, value: 1.5 } }],
    ['wrong_type', '/filters/value', { filters: { ...price, op: 'in' } }],
    ['invalid_query', '/filters/value', { filters: { ...price, op: '=', value: null } }],
    ['unknown_value', '/filters/value', { filters: { field: 'action', op: '=', value: 'SELL' } }],
    ['invalid_query', '/filters', { filters: { and: [price], ...price } }],
    ['invalid_query', '/fill', { fill: true }],
    ['invalid_query', '/top', { top: { n: 1 } }],
    ['unknown_field', '/having/field', { having: { field: 'price', op: '>', value: 1 } }],
    ['unknown_field', '/order_by/0/by', { order_by: [{ by: 'price' }] }],
    ['unknown_value', '/time/timezone', { time: { ...TIME, timezone: 'Mars/Olympus' } }],
    ['invalid_time_range', '/time', { time: { from: TIME.to, to: TIME.from } }],
    ['invalid_time_range', '/time', { time: { ...TIME, bucket: '1s' } }]
  ])('with %s at %s', (code, path, changes) => {
    expect(() => plan(changes)).toThrow(expect.objectContaining({
      code, faults: expect.arrayContaining([expect.objectContaining({ path, code })])
    }))
  })
})

test('the retention of each raw table is that of its migration', () => {
  for (const [stream, file] of [['user_tags', '0001_create_user_tags'], ['visits', '0009_create_visits']] as const) {
    const raw = readFileSync(`clickhouse/migrations/${file}.sql`, 'utf8').match(/retention_days (\w+)/)?.[1]
    expect(raw).toBe(parseQuestion({ ...COUNT, stream }).stream.rawRetention ?? 'raw')
  }
})
