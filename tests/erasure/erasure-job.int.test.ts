/** The job over a real engine: what it leaves behind, and what a crash at any of its steps does to that. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pageViews, userTags } from '../../contract/index.ts'
import { ErasureStore, startErasureJob } from '../../erasure/index.ts'
import { carryOut } from '../../erasure/erasure-job.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { until } from '../support/until.ts'
import { Bench, RETENTION_MS, TENANT } from './job-bench.ts'
import type { ClickHouseClient } from '../../clickhouse/index.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const DONE_MS_MAX = 120_000

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse?.close())

describe('an erasure that is carried out', () => {
  const SUBJECT = "erased-'subject\\ü"
  let bench: Bench
  let id: string
  let others: Map<string, unknown[]>

  beforeAll(async () => {
    bench = await Bench.open(clickHouse)
    const yesterdayMs = Date.now() - 24 * 3_600_000
    for (const subject of [SUBJECT, 'a', 'b']) await bench.rows.storeAll(TENANT, subject, yesterdayMs)
    for (const tenant of [TENANT, 'globex']) await bench.rows.storeAll(tenant, 'c')
    await bench.rows.storeAll(TENANT, SUBJECT)
    await bench.deadLetter(SUBJECT, 1)
    await bench.deadLetter('a', 2)
    others = await bench.others(SUBJECT)
    id = (await bench.erasures.create({ tenant: TENANT, subject: SUBJECT })).id
    // A second one shares the batch, and its mutations.
    await bench.erasures.create({ tenant: TENANT, subject: 'nobody', streams: ['visits'] })
    await carryOut(bench.options, new AbortController().signal)
  })

  test('has a receipt: table by table, what was masked, what is left, when it left the disk', async () => {
    const receipt = await bench.erasures.show(TENANT, id)
    expect(receipt).toMatchObject({ id, state: 'removed' })
    expect(Object.fromEntries(receipt.tables.map(({ table, rows_masked: rows }) => [table, rows]))).toEqual({
      analytics: 2,
      dead_letters: 1,
      interactions: 12,
      interactions_by_device: 12,
      page_views: 2,
      page_views_by_user: 2,
      user_tags: 2,
      user_tags_by_cookie: 2,
      visits: 2
    })
    for (const { rows_left: left, masked_at: masked, removed_at: removed } of receipt.tables) {
      expect(left).toBe(0)
      expect(Date.parse(masked)).toBeLessThanOrEqual(Date.parse(removed as string))
    }
    expect(Date.parse(receipt.log_holds_until)).toBe(Date.parse(receipt.cutoff) + RETENTION_MS)
    expect(await bench.store.open()).toEqual([])
  })

  test('leaves the subject nowhere in the database, masked or not', async () => {
    expect(await bench.placesOf('erased-')).toEqual([])
    expect(await bench.placesOf('globex')).not.toEqual([])
  })

  test('has named no subject in a mutation, and needed one of each kind for a table', async () => {
    const commands = await bench.mutations()
    expect(commands.filter((command) => /erased-|erasure_inner|SHA256/.test(command))).toEqual([])
    expect(commands.filter((command) => command.includes('erased_positions'))).toHaveLength(9)
  })

  test('has left everybody else as they were, to the row', async () => {
    expect(await bench.others(SUBJECT)).toEqual(others)
    expect((await bench.sql('SELECT id FROM dead_letters')).map((row) => (row as { id: string }).id)).toEqual(['page_views-0-2'])
  })

  test('counts in the books: what a table had is what it has and what was erased from it', async () => {
    for (const table of [userTags.tables.raw, pageViews.tables.raw]) {
      const [row] = await bench.sql<{ stored: number, erased: number }>(
        `SELECT (SELECT toUInt32(count()) FROM ${table}) AS stored,
         (SELECT toUInt32(count()) FROM erased_positions FINAL WHERE table = {table:String}) AS erased`, { table })
      expect(row).toEqual({ stored: 4, erased: 2 })
    }
  })
})

/** A client that fails the n-th time that it is to change something, and from then on. */
function failingClient (client: ClickHouseClient, failAt: number, after: boolean): ClickHouseClient {
  let calls = 0
  const dying = async (call: () => Promise<unknown>): Promise<unknown> => {
    calls += 1
    if (calls < failAt) return await call()
    if (calls === failAt && after) await call()
    throw new Error('the process died')
  }
  return new Proxy(client, {
    get: (target, name) => {
      const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target)
      if (name === 'command' || name === 'insert') return (options: unknown) => dying(() => method(options))
      if (name !== 'query') return method
      return (options: { query: string }) => {
        return options.query.includes('INSERT INTO') ? dying(() => method(options)) : method(options)
      }
    }
  })
}

test('a job that dies before or after any of its steps is taken up by the next, and the receipt is the same', async () => {
  const bench = await Bench.open(clickHouse)
  for (const subject of ['gone', 'stays']) {
    await bench.rows.store(pageViews, TENANT, [1, 2, 3].map((n) => ({
      timestamp: `2026-03-0${n}T00:00:00Z`, user_id: subject, name: `p${n}`
    })))
  }
  await bench.deadLetter('gone', 1)
  const { id } = await bench.erasures.create({ tenant: TENANT, subject: 'gone', streams: ['page_views'] })
  let deaths = 0
  for (let step = 1; (await bench.store.open()).length > 0; step += 1) {
    for (const after of [false, true]) {
      // Everything of a process that dies goes with it: each step here is reached by a runner of its own.
      const client = failingClient(bench.options.client, step, after)
      const dying = { ...bench.options, client, store: new ErasureStore(client) }
      await carryOut(dying, AbortSignal.timeout(DONE_MS_MAX)).catch(() => { deaths += 1 })
    }
    expect(step).toBeLessThan(60)
  }
  expect(deaths).toBeGreaterThan(10)
  const { state, tables } = await bench.erasures.show(TENANT, id)
  expect({ state, tables: tables.map(({ table, rows_masked: rows }) => [table, rows]) }).toEqual({
    state: 'removed', tables: [['dead_letters', 1], ['page_views', 3], ['page_views_by_user', 3]]
  })
  expect(await bench.placesOf('gone')).toEqual([])
  expect(await bench.sql('SELECT DISTINCT user_id FROM page_views')).toEqual([{ user_id: 'stays' }])
}, 600_000)

test('a running job carries out what it is not told of, once the processors have passed the log\'s end', async () => {
  const bench = await Bench.open(clickHouse)
  await bench.rows.store(pageViews, TENANT, [{ timestamp: '2026-03-01T00:00:00Z', user_id: 'late', name: 'p' }])
  let stored = 6
  let looks = 0
  const progress = {
    ...bench.options.progress,
    stored: async () => {
      looks += 1
      return new Map([[0, stored]])
    }
  }
  const job = startErasureJob({ ...bench.options, progress })
  try {
    const { id } = await bench.erasures.create({ tenant: TENANT, subject: 'late' })
    await until('the job waits for the processors', DONE_MS_MAX, () => looks >= 3 || undefined)
    expect((await bench.erasures.show(TENANT, id)).state).toBe('hidden')
    // What a processor had begun before it knew lands now, and is found.
    await bench.rows.store(pageViews, TENANT, [
      { timestamp: '2026-03-01T00:00:00Z', user_id: 'late', name: 'p' }
    ], Date.now() - 60_000)
    stored = 7
    await until('it is removed', DONE_MS_MAX, async () => {
      return (await bench.erasures.show(TENANT, id)).state === 'removed' || undefined
    })
    const { tables } = await bench.erasures.show(TENANT, id)
    expect(tables.find(({ table }) => table === 'page_views')).toMatchObject({ rows_masked: 2, rows_left: 0 })
  } finally {
    await job.stop()
  }
})
