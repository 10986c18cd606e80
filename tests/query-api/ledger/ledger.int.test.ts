import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { insertBatch } from '../../../clickhouse/index.ts'
import { streams } from '../../../contract/index.ts'
import { startTestClickHouse } from '../../support/clickhouse.ts'
import { MINUTE_MS, T0, batchRow, deliver, ledgerServer } from './ledger-books.ts'
import { randomOf } from '../questions/question-server.ts'
import type { TestClickHouse, TestDatabase } from '../../support/clickhouse.ts'
import type { LogPosition } from '../../../query-api/index.ts'
import type { BookedBatch } from './ledger-books.ts'

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse.close())

const HOUR_MS = 60 * MINUTE_MS
const minuteText = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
const at = (committed: number, end = committed, partition = 0, begin = 0): LogPosition => {
  return { stream: 'user_tags', partition, begin, committed, end }
}

/** Three batches in two minutes of partition 0, one of partition 1 that spans two minutes. */
const BATCHES: BookedBatch[] = [
  { first: 0, last: 9, arrivedMs: T0 },
  { first: 10, last: 29, arrivedMs: T0 + 1000, dead_lettered: 2, duplicates: 1, erased: 1 },
  { first: 30, last: 34, arrivedMs: T0 + MINUTE_MS },
  { partition: 1, first: 0, last: 4, arrivedMs: T0 + 59_000, arrivedToMs: T0 + 61_000 }
]
const POSITIONS = [at(35, 40), at(5, 5, 1)]

async function start (batches = BATCHES, positions = POSITIONS) {
  const database = await clickHouse.freshDatabase()
  await deliver(database, batches)
  return { database, ...await ledgerServer(database, () => positions) }
}

const command = ({ writeClient }: TestDatabase, query: string) => {
  return writeClient.command({ query, clickhouse_settings: { mutations_sync: '1' } })
}

test('the books balance by partition and minute, with what is in flight', async () => {
  const { get } = await start()
  const { body } = await get({ recount: 'true' })
  expect(body.faults).toEqual([])
  expect(body).toMatchObject({
    balanced: true,
    totals: {
      accepted: 45,
      stored: 36,
      dead_lettered: 2,
      duplicates: 1,
      erased: 1,
      in_flight: 5,
      balance: 0,
      imbalance: 0
    },
    next_cursor: null
  })
  const minutes = body.minutes.map((row: any) => [row.minute, row.partition, row.accepted, row.balance])
  expect(minutes).toEqual([
    [minuteText(T0), 0, 30, 0], [minuteText(T0), 1, 5, 0], [minuteText(T0 + MINUTE_MS), 0, 5, 0]
  ])
  expect(body.recounted.map(({ table }: any) => table)).toEqual([
    'user_tags', 'user_tags_by_cookie', 'dead_letters', 'user_tags_by_minute', 'page_views', 'page_views_by_user',
    'dead_letters', 'interactions', 'interactions_by_device', 'dead_letters', 'analytics', 'dead_letters', 'visits',
    'dead_letters', 'visits_by_minute', 'visits_by_time'
  ])
})

test('a batch that is inserted and not committed yet is in flight, and no fault', async () => {
  const { get } = await start(BATCHES, [at(30, 40), at(0, 5, 1)])
  const { body } = await get({ recount: 'true' })
  expect([body.faults, body.totals.in_flight, body.totals.accepted]).toEqual([[], 15, 45])
})

describe('the ledger says where a table was changed by hand:', () => {
  const where = { stream: 'user_tags', partition: 0, minute: minuteText(T0) }
  test.each([
    ['rows deleted from the raw table', 'DELETE FROM user_tags WHERE _partition = 0 AND _offset IN (3, 4)', [
      { ...where, kind: 'recount', table: 'user_tags', first_offset: 0, last_offset: 9, expected: 10, found: 8 },
      { kind: 'recount', table: 'user_tags_by_minute', minute: '2022-03-22T12:15:00Z', expected: 34, found: 36 }
    ]],
    ['a row deleted from the table by subject', 'DELETE FROM user_tags_by_cookie WHERE _partition = 1 AND _offset = 4', [
      { ...where, partition: 1, kind: 'recount', table: 'user_tags_by_cookie', first_offset: 0, last_offset: 4, expected: 5, found: 4 }
    ]],
    ['a dead letter deleted', 'DELETE FROM dead_letters WHERE offset = 29', [
      { ...where, kind: 'recount', table: 'dead_letters', first_offset: 10, last_offset: 29, expected: 2, found: 1 }
    ]],
    ['a batch removed', 'DELETE FROM batches WHERE partition = 0 AND first_offset = 10', [
      { ...where, kind: 'gap', table: 'batches', minute: minuteText(T0 + MINUTE_MS), first_offset: 10, last_offset: 29, expected: 20, found: 0 },
      { ...where, kind: 'recount', table: 'user_tags', first_offset: 10, last_offset: 25, expected: 0, found: 16 },
      { ...where, kind: 'recount', table: 'user_tags_by_cookie', first_offset: 10, last_offset: 25, expected: 0, found: 16 },
      { ...where, kind: 'recount', table: 'dead_letters', first_offset: 28, last_offset: 29, expected: 0, found: 2 }
    ]],
    ['the last batch removed', 'DELETE FROM batches WHERE partition = 1', [
      { ...where, partition: 1, kind: 'gap', table: 'batches', minute: null, first_offset: 0, last_offset: 4, expected: 5, found: 0 },
      { ...where, partition: 1, kind: 'recount', table: 'user_tags', first_offset: 0, last_offset: 4, expected: 0, found: 5 },
      { ...where, partition: 1, kind: 'recount', table: 'user_tags_by_cookie', first_offset: 0, last_offset: 4, expected: 0, found: 5 }
    ]],
    ['a count of a batch changed', 'ALTER TABLE batches UPDATE duplicates = 3 WHERE first_offset = 30', [
      { ...where, kind: 'miscount', table: 'batches', minute: minuteText(T0 + MINUTE_MS), first_offset: 30, last_offset: 34, expected: 5, found: 8 }
    ]],
    ['a sum of the rollup changed', "ALTER TABLE user_tags_by_minute UPDATE count = count + 7 WHERE action = 'BUY' AND minute = '2022-03-22 12:15:00' AND brand_id = 'brand0'", [
      { stream: 'user_tags', partition: null, kind: 'recount', table: 'user_tags_by_minute', minute: '2022-03-22T12:15:00Z', first_offset: null, last_offset: null }
    ]]
  ])('%s', async (_what, change, faults) => {
    const { database, get } = await start()
    await command(database, change)
    const { body } = await get({ recount: 'true', stream: 'user_tags' })
    expect(body.balanced).toBe(false)
    expect(body.faults).toMatchObject(faults)
    expect(body.faults).toHaveLength(faults.length)
  })

  test('a row added, and a batch that is there twice, which the metric says too', async () => {
    const { database, get, registry, look } = await start()
    const measured = async (): Promise<string[]> => {
      await look()
      return (await registry.metrics()).split('\n').filter((line) => line.startsWith('millrace_ledger_imbalance{'))
    }
    const balanced = streams.map(({ name }) => `millrace_ledger_imbalance{stream="${name}"} 0`)
    expect(await measured()).toEqual(balanced)
    await command(database, 'INSERT INTO user_tags SELECT * FROM user_tags WHERE _partition = 0 AND _offset = 31')
    await insertBatch({ client: database.writeClient, table: 'batches', rows: [batchRow({ first: 25, last: 29, arrivedMs: T0 })], token: 'again' })
    const { body } = await get({ recount: 'true' })
    const minute = minuteText(T0 + MINUTE_MS)
    expect(body.faults).toEqual(expect.arrayContaining([
      expect.objectContaining({ kind: 'overlap', first_offset: 25, last_offset: 29, expected: 5, found: 10 }),
      expect.objectContaining({ kind: 'recount', table: 'user_tags', minute, first_offset: 30, last_offset: 34, expected: 5, found: 6 })
    ]))
    expect(body.totals).toMatchObject({ balance: -5, imbalance: 5 })
    expect(await measured()).toEqual(['millrace_ledger_imbalance{stream="user_tags"} 5', ...balanced.slice(1)])
    expect(await registry.metrics()).toMatch(/^millrace_ledger_checked_timestamp_seconds [1-9]/m)
  })
})

test('of random batches, some missing and some there twice, every offset is counted as a model counts it', async () => {
  const database = await clickHouse.freshDatabase()
  const random = randomOf(20261122)
  const covers = new Map<number, number>()
  const [rows, end] = [[] as object[], 2_000]
  for (let first = 0; first < end;) {
    const last = Math.min(end, first + 1 + Math.floor(random() * 30)) - 1
    const copies = random() < 0.1 ? 0 : random() < 0.1 ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      rows.push(batchRow({ first, last, arrivedMs: T0 + first * 100 + copy }))
      for (let offset = first; offset <= last; offset++) covers.set(offset, (covers.get(offset) ?? 0) + 1)
    }
    first = last + 1
  }
  await insertBatch({ client: database.writeClient, table: 'batches', rows: rows as Array<Record<string, unknown>>, token: 'random' })
  const model = Array.from({ length: end }, (_, offset) => covers.get(offset) ?? 0)
  const { get, close } = await ledgerServer(database, () => [at(end)])
  const { body } = await get({ limit: '2' })
  expect(body.totals).toMatchObject({ accepted: end, stored: model.reduce((sum, count) => sum + count, 0) })
  expect(body.totals.imbalance).toBe(model.reduce((sum, count) => sum + Math.abs(count - 1), 0))
  expect(body.totals.imbalance).toBeGreaterThan(20)
  const minutes = []
  for (let cursor = ''; ;) {
    const page = (await get({ limit: '2', ...(cursor === '' ? {} : { cursor }) })).body
    minutes.push(...page.minutes)
    if (page.next_cursor === null) break
    cursor = page.next_cursor
  }
  const times = minutes.map(({ minute }) => minute)
  expect(times).toEqual([...new Set(times)].toSorted())
  expect(minutes.reduce((sum, { stored }) => sum + stored, 0)).toBe(body.totals.stored)
  await close()
})

test('a range shows its own minutes, and no gap where a neighbour arrived in another minute', async () => {
  const { get } = await start()
  const { body } = await get({ from: minuteText(T0 + MINUTE_MS), recount: 'true' })
  expect(body.faults).toEqual([])
  expect(body.minutes).toHaveLength(1)
  expect((await get({ stream: 'visits' })).body).toMatchObject({ partitions: [], minutes: [], balanced: true })
})

test('a batch that a quiet stream lost is a gap, however long ago the one before it was', async () => {
  const sparse: BookedBatch[] = [
    { first: 0, last: 9, arrivedMs: T0 - 40 * HOUR_MS },
    { first: 10, last: 14, arrivedMs: T0 - 20 * HOUR_MS },
    { first: 15, last: 19, arrivedMs: T0 }
  ]
  const { database, get } = await start(sparse, [at(20)])
  const from = minuteText(T0 - MINUTE_MS)
  expect((await get({ from, recount: 'true' })).body.faults).toEqual([])
  await command(database, 'DELETE FROM batches WHERE first_offset = 10')
  const { body } = await get({ from })
  expect(body.faults).toMatchObject([{ kind: 'gap', table: 'batches', minute: minuteText(T0), first_offset: 10, last_offset: 14 }])
  expect(body.totals).toMatchObject({ accepted: 10, stored: 5, balance: 5, imbalance: 5 })
})

test('a batch that a clock gave another day is no gap between those beside it', async () => {
  const { get } = await start([
    { first: 0, last: 9, arrivedMs: T0 },
    { first: 10, last: 14, arrivedMs: T0 - 48 * HOUR_MS },
    { first: 15, last: 19, arrivedMs: T0 }
  ], [at(20)])
  const { body } = await get({ from: minuteText(T0 - MINUTE_MS) })
  expect(body.faults).toEqual([])
  expect(body.totals).toMatchObject({ stored: 15, balance: 0 })
})

test.each([
  [{ from: 'yesterday' }, 'invalid_time'], [{ from: '2026-01-02', to: '2026-01-01' }, 'invalid_time_range'],
  [{ from: '2026-01-01', to: '2026-06-01' }, 'invalid_time_range'], [{ limit: '0' }, 'invalid_limit'],
  [{ stream: 'orders' }, 'invalid_parameter'], [{ cursor: "1~a'~2" }, 'invalid_parameter'],
  [{ recount: 'yes' }, 'invalid_parameter'], [{ tenant: 'x' }, 'invalid_parameter']
])('%j is refused with %s', async (query, code) => {
  const { get, close } = await ledgerServer(clickHouse, () => [])
  const { status, body } = await get(query as Record<string, string>)
  expect([status, body.code]).toEqual([400, code])
  await close()
})
