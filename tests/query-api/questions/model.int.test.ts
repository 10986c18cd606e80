import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { streams } from '../../../contract/index.ts'
import { parseQuestion } from '../../../query-api/questions/parse-question.ts'
import { planQuestion } from '../../../query-api/questions/plan-question.ts'
import { rawSource } from '../../../query-api/questions/source.ts'
import { toCells } from '../../../query-api/questions/answer.ts'
import { startTestClickHouse } from '../../support/clickhouse.ts'
import { compareKeys, evaluate, localBuckets } from './model.ts'
import { ALL_BUCKETS, randomQuestion } from './random-question.ts'
import {
  engineClient, modelTag, questionServer, randomOf, randomTags, randomVisits, store, userTagStream,
  visitStream
} from './question-server.ts'
import type { FastifyInstance } from 'fastify'
import type { Cell } from '../../../query-api/questions/answer.ts'
import type { QuestionInput } from '../../../query-api/questions/parse-question.ts'
import type { TimeBuckets } from '../../../query-api/questions/question.ts'
import type { TestClickHouse } from '../../support/clickhouse.ts'
import type { QuestionSpace } from './random-question.ts'

/** The autumn's changes of the clocks, Europe's and America's. */
const FROM = Date.UTC(2026, 9, 23)
const TO = Date.UTC(2026, 10, 3)
const EVENTS = 50_000
const QUESTIONS = 1_000
const ROLLUP_QUESTIONS = 150

const TEXT_OPS = ['=', '!=', 'in', 'not_in', 'contains', 'starts_with', '<', '>='] as const
const SPACE: QuestionSpace = {
  stream: 'user_tags',
  fromMs: FROM,
  toMs: TO,
  groups: ['country', 'device', 'action', 'origin', 'brand_id', 'category_id', 'product_id'],
  measures: [
    { fn: 'count' }, { fn: 'sum', field: 'price' }, { fn: 'avg', field: 'price' }, { fn: 'min', field: 'price' },
    { fn: 'max', field: 'price' }, { fn: 'uniq', field: 'cookie' }, { fn: 'uniq', field: 'brand_id' },
    { fn: 'quantile', field: 'price', level: 0.5 }, { fn: 'quantile', field: 'price', level: 0.999 }
  ],
  conditions: [
    { field: 'country', ops: TEXT_OPS, values: ['PL', 'Ü', 'nowhere', "'"] },
    { field: 'action', ops: ['=', '!=', 'in'], values: ['VIEW', 'BUY'] },
    { field: 'origin', ops: TEXT_OPS, values: ["o'clock", 'a"b', 'x,y', 's'] },
    { field: 'brand_id', ops: TEXT_OPS, values: ['\\', '{p0:String}', 'nike', 'ž'] },
    { field: 'product_id', ops: TEXT_OPS, values: ['1', 'p1', 'p'] },
    { field: 'price', ops: ['=', '!=', '<', '<=', '>', '>=', 'in'], values: [0, 5_000, -100, 2 ** 40] }
  ],
  zones: ['UTC', 'Europe/Warsaw', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'],
  buckets: ALL_BUCKETS
}

/** What the rollups can answer. */
const ROLLUP_SPACES: QuestionSpace[] = [{
  ...SPACE,
  groups: ['action', 'origin', 'brand_id', 'category_id'],
  measures: [
    { fn: 'count' }, { fn: 'sum', field: 'price' }, { fn: 'avg', field: 'price' }, { fn: 'uniq', field: 'brand_id' },
    { fn: 'uniq_approx', field: 'origin' }
  ],
  conditions: SPACE.conditions.filter(({ field }) => ['action', 'origin', 'brand_id'].includes(field))
}, {
  ...SPACE,
  stream: 'visits',
  groups: ['pageUrl'],
  measures: [{ fn: 'count' }, { fn: 'uniq', field: 'pageUrl' }, { fn: 'uniq_approx', field: 'pageUrl' }],
  conditions: [{ field: 'pageUrl', ops: TEXT_OPS, values: ['https://shop.example/b?q=ž', 'https://shop.example/a', 'q=', 'x'] }]
}]

let clickHouse: TestClickHouse
let server: FastifyInstance
const random = randomOf(20_261_122)
const tags = randomTags(EVENTS, FROM, TO, random)
const events = tags.map(modelTag)
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  await store(clickHouse, userTagStream, tags)
  await store(clickHouse, userTagStream, randomTags(5_000, FROM, TO, randomOf(7)), 'rival')
  await store(clickHouse, visitStream, randomVisits(10_000, FROM, TO, randomOf(8)))
  await store(clickHouse, visitStream, randomVisits(1_000, FROM, TO, randomOf(9)), 'rival')
  server = await questionServer({ client: engineClient(clickHouse), limits: { inFlightMax: 4 } })
})
afterAll(async () => {
  await server?.close()
  await clickHouse?.close()
})

const ask = async (question: QuestionInput) => {
  const answer = await server.inject({ method: 'POST', url: '/query', payload: question })
  if (answer.statusCode !== 200) throw new Error(`${answer.body}: ${JSON.stringify(question)}`)
  return answer.json<{ rows: Cell[][], source: string, truncated: boolean }>()
}

/** Rows in the model's order, with the bucket as the local clock shows it. */
function comparable (question: QuestionInput, rows: readonly Cell[][]): Cell[][] {
  const { bucket, timezone = 'UTC' } = question.time
  const label = bucket === undefined ? undefined : localBuckets(bucket, timezone)
  return rows
    .map((row) => label === undefined ? row : [label(Date.parse(row[0] as string)), ...row.slice(1)])
    .map((row) => row.map((cell) => typeof cell === 'number' ? Number(cell.toPrecision(12)) : cell))
    .toSorted(compareKeys)
}

describe('POST /query', () => {
  it(`answers ${QUESTIONS} random questions as a plain evaluator does`, { timeout: 600_000 }, async () => {
    let left = QUESTIONS
    const sources = new Map<string, number>()
    let rowCount = 0
    const next = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        const question = randomQuestion(SPACE, random)
        const { rows, source, truncated } = await ask(question)
        sources.set(source, (sources.get(source) ?? 0) + 1)
        rowCount += rows.length
        const expected = comparable({ ...question, time: { ...question.time, bucket: undefined } as never },
          evaluate(question, events))
        if (truncated) {
          // Which rows are left out is another test's: another question takes its place.
          expect(expected.length).toBeGreaterThan(rows.length)
          left += 1
        } else expect(comparable(question, rows), JSON.stringify(question)).toEqual(expected)
      }
    }
    await Promise.all([next(), next(), next(), next()])
    expect(sources.get('rollup')).toBeGreaterThan(QUESTIONS / 100)
    expect(rowCount).toBeGreaterThan(QUESTIONS)
  })

  it('is tried on every rollup that there is', () => {
    const rollups = streams.filter(({ rollup }) => rollup !== undefined)
    expect(ROLLUP_SPACES.map(({ stream, groups }) => [stream, groups]))
      .toEqual(rollups.map(({ name, rollup }) => [name, rollup?.dimensions]))
  })

  const title = `gives the same answer from the rollup of $stream and its raw table, ${ROLLUP_QUESTIONS} times`
  it.each(ROLLUP_SPACES)(title, async (space) => {
    const client = engineClient(clickHouse)
    const never = new AbortController().signal
    let compared = 0
    let rows = 0
    while (compared < ROLLUP_QUESTIONS) {
      const question = parseQuestion(randomQuestion(space, random))
      const rollupPlan = planQuestion(question, 'default')
      if (rollupPlan.source !== 'rollup') continue
      const rawPlan = planQuestion(question, 'default', rawSource(question, 'for comparison'))
      const fromRollup = toCells(rollupPlan, await client.table(rollupPlan, never))
      expect(fromRollup).toEqual(toCells(rawPlan, await client.table(rawPlan, never)))
      compared += 1
      rows += fromRollup.rows.length
    }
    expect(rows).toBeGreaterThan(ROLLUP_QUESTIONS)
  })

  it('fills the buckets without events, for every group that has one, in every zone', async () => {
    for (const timezone of SPACE.zones) {
      for (const bucket of ['1h', '6h', '1d', '1w'] as const) {
        const time = { from: new Date(FROM).toISOString(), to: new Date(TO).toISOString(), bucket, timezone }
        const question: QuestionInput = {
          stream: 'user_tags',
          measures: [{ fn: 'count' }, { fn: 'avg', field: 'price' }],
          time,
          group_by: ['device', 'origin'],
          filters: [{ field: 'price', op: '>', value: 19_450 }, { field: 'device', op: '!=', value: 'PC' }],
          limit: 10_000
        }
        const sparse = (await ask(question)).rows
        const filled = (await ask({ ...question, fill: true })).rows
        const { starts } = parseQuestion(question).buckets as TimeBuckets
        const groups = new Set(sparse.map((row) => JSON.stringify(row.slice(1, 3))))
        expect(filled).toHaveLength(groups.size * starts.length)
        expect([...new Set(filled.map(([start]) => Date.parse(start as string) / 1000))]).toEqual(starts)
        expect(filled.filter((row) => row[3] !== 0)).toEqual(sparse)
        for (const row of filled.filter((candidate) => candidate[3] === 0)) expect(row[4]).toBeNull()
      }
    }
  })

  it('orders as asked, cuts at the limit, and says so', async () => {
    const question: QuestionInput = {
      stream: 'user_tags',
      measures: [{ fn: 'sum', field: 'price' }],
      time: { from: new Date(FROM).toISOString(), to: new Date(TO).toISOString() },
      group_by: ['brand_id', 'origin']
    }
    const all = (await ask(question)).rows
    expect(all).toEqual(all.toSorted((a, b) => Number(b[2]) - Number(a[2])))
    const lowest = await ask({ ...question, order_by: [{ by: 'sum_price' }], limit: 3 })
    expect(lowest).toMatchObject({ rows: all.toReversed().slice(0, 3), truncated: true })
    const byName = await ask({ ...question, order_by: [{ by: 'brand_id', direction: 'desc' }, { by: 'origin' }] })
    const [brand, origin] = [(row: Cell[]) => row[0] as Cell, (row: Cell[]) => row[1] as Cell]
    expect(byName.rows).toEqual(all.toSorted((a, b) => {
      return compareKeys([brand(b), origin(a)], [brand(a), origin(b)])
    }))
    expect(byName.truncated).toBe(false)
  })

  it('counts distinct values approximately within 3 %', async () => {
    const { rows: [row] } = await ask({
      stream: 'user_tags',
      measures: [{ fn: 'uniq', field: 'cookie' }, { fn: 'uniq_approx', field: 'cookie' }],
      time: { from: new Date(FROM).toISOString(), to: new Date(TO).toISOString() }
    })
    const [exact, approximate] = row as [number, number]
    expect(Math.abs(approximate - exact) / exact).toBeLessThan(0.03)
  })
})
