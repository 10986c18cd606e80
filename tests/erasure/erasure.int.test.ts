/** Erasure over a real engine, by the routes of the system. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pageViews, recordKey, streams } from '../../contract/index.ts'
import { SubjectHasher, personalTables } from '../../erasure/index.ts'
import { subjectHashSql } from '../../erasure/subject-hash.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { EVENT_TIME, READ_EXAMPLES, SUBJECT } from '../access/read-examples.ts'
import { until } from '../support/until.ts'
import { RowStore, startServed } from './serve.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'
import type { Ask } from '../access/read-examples.ts'
import type { ServedSystem } from './serve.ts'

const CONFIRMED_MS_MAX = 60_000

let clickHouse: TestClickHouse
let rows: RowStore
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  rows = new RowStore(clickHouse)
})
afterAll(() => clickHouse?.close())

async function sql<Row> (query: string, params: Record<string, unknown> = {}): Promise<Row[]> {
  const answer = await clickHouse.writeClient.query({ query, query_params: params, format: 'JSONEachRow' })
  return await answer.json<Row>()
}

async function erase (system: ServedSystem, organisation: string, subject: string, more: object = {}) {
  return await system.ask(organisation, { method: 'POST', url: '/erasures', payload: { subject, ...more } })
}

test('every table with a column that names a subject is one that erasure reaches', async () => {
  const subjects = [...new Set(streams.map(({ subject }) => subject))]
  const found = await sql<{ table: string }>(
    `SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase()
     AND name IN {names:Array(String)} AND table NOT LIKE '%_view' ORDER BY table`, { names: [...subjects, 'key', 'value'] })
  expect(found.map(({ table }) => table)).toEqual(personalTables(streams).map(({ name }) => name).toSorted())
})

test('the hash that ClickHouse computes is the hash that is stored', async () => {
  for (const key of ['k'.repeat(32), 'long '.repeat(40)]) {
    const hasher = new SubjectHasher(key)
    for (const subject of ['u', "ü'\\", '🦔'.repeat(300)]) {
      const [row] = await sql<{ hash: string }>(
        `SELECT ${subjectHashSql("concat(toString(length('acme')), ':', 'acme', {subject:String})")} AS hash`,
        { ...hasher.params, subject })
      expect(row?.hash).toBe(hasher.hash(recordKey('acme', subject)))
    }
  }
})

/** Answers of the minute rollup, which holds no subject and keeps its counts. */
const FROM_ROLLUP = new Set([
  'POST /aggregates 0', 'POST /aggregates 1', 'GET /visits 0', 'POST /query 0', 'POST /query 8', 'GET /query/:id 0',
  'GET /query/:id 8'
])
const NOT_ABOUT_EVENTS = new Set(['GET /keys', 'GET /ledger', 'GET /streams', 'POST /queries'])

describe('while the processors stand still', () => {
  let system: ServedSystem
  let id: string
  let answer: Awaited<ReturnType<ServedSystem['ask']>>
  const examples = Object.entries(READ_EXAMPLES).filter(([name]) => !NOT_ABOUT_EVENTS.has(name))
    .flatMap(([name, each]) => each.map((example, index) => ({ name: `${name} ${index}`, ...example })))

  async function readAll (organisation: string): Promise<Map<string, unknown>> {
    const ask: Ask = async (options) => {
      const { status, body } = await system.ask(organisation, options)
      expect(status, `${options.method} ${String(options.url)}`).toBe(200)
      return body
    }
    const answers = new Map<string, unknown>()
    for (const { name, read } of examples) answers.set(name, await read(ask))
    return answers
  }

  let before: Map<string, unknown>
  let globexBefore: Map<string, unknown>
  beforeAll(async () => {
    system = await startServed(clickHouse, ['acme', 'globex', 'model'])
    for (const organisation of ['acme', 'globex', 'model']) await rows.storeAll(organisation, 'somebody-else')
    for (const organisation of ['acme', 'globex']) {
      await rows.storeAll(organisation, SUBJECT)
      await rows.storeLetter(organisation, SUBJECT)
    }
    // An event that no processor takes: the job waits for it.
    const payload = { timestamp: EVENT_TIME, user_id: SUBJECT, name: 'late' }
    expect((await system.ask('acme', { method: 'POST', url: '/page', payload })).status).toBeLessThan(300)
    before = await readAll('acme')
    globexBefore = await readAll('globex')
    answer = await erase(system, 'acme', SUBJECT)
    id = answer.body.id
  })
  afterAll(() => system?.close())

  test('an erasure is answered with its receipt so far and where it will be', () => {
    expect(answer).toMatchObject({ status: 202, headers: { location: `/erasures/${id}` } })
    expect(answer.body).toMatchObject({ state: 'hidden', tables: [], removed_at: null, streams: streams.map(({ name }) => name) })
    expect(Date.parse(answer.body.log_holds_until) - Date.parse(answer.body.cutoff)).toBe(7 * 24 * 3_600_000)
  })

  test('no read shows the subject: each answers as if it had never been; only rollups keep their counts', async () => {
    const [after, model] = [await readAll('acme'), await readAll('model')]
    expect(examples.length).toBeGreaterThan(30)
    for (const { name } of examples) {
      if (FROM_ROLLUP.has(name)) expect(after.get(name), name).toEqual(before.get(name))
      else expect(after.get(name), name).toEqual(model.get(name))
      // Else the example would prove nothing.
      if (!FROM_ROLLUP.has(name)) expect(before.get(name), name).not.toEqual(model.get(name))
    }
  })

  test('the same subject of another organisation is untouched', async () => {
    expect(await readAll('globex')).toEqual(globexBefore)
    expect((await system.ask('globex', { method: 'GET', url: `/erasures/${id}` })).status).toBe(404)
    expect((await system.ask('globex', { method: 'GET', url: '/erasures' })).body.erasures).toEqual([])
    expect((await system.ask('acme', { method: 'GET', url: '/erasures' })).body).toMatchObject({ erasures: [{ id }], next: null })
  })

  test('an answer that a client kept is no longer confirmed', async () => {
    const payload = { stream: 'page_views', measures: [{ fn: 'count' }], time: { from: '2026-03-04T00:00:00Z', to: '2026-03-05T00:00:00Z' } }
    const { url } = (await system.ask('acme', { method: 'POST', url: '/queries', payload })).body
    // The log may be late once, and the day may end, between two questions.
    const headers = await until('an answer is confirmed', CONFIRMED_MS_MAX, async () => {
      const kept = await system.ask('acme', { method: 'GET', url })
      const tag = { 'if-none-match': kept.headers.etag }
      return (await system.ask('acme', { method: 'GET', url, headers: tag })).status === 304 ? tag : undefined
    })
    await erase(system, 'acme', 'somebody-unknown')
    expect((await system.ask('acme', { method: 'GET', url, headers })).status).toBe(200)
  })

  test('what arrives after the erasure is new data', async () => {
    await rows.store(pageViews, 'acme', [{ timestamp: EVENT_TIME, user_id: SUBJECT, name: 'again' }])
    const { body } = await system.ask('acme', { method: 'GET', url: `/user/${SUBJECT}?as_of=2026-03-05T00:00:00Z` })
    expect(body).toMatchObject({ number_pages_viewed_the_last_7_days: 1, most_viewed_page_last_7_days: 'again' })
  })

  test('Arrow answers hide it too', async () => {
    const payload = {
      stream: 'page_views',
      measures: [{ fn: 'count' }],
      group_by: ['user_id'],
      time: { from: '2026-03-04T00:00:00Z', to: '2026-03-05T00:00:00Z' },
      filters: [{ field: 'name', op: '=', value: 'page' }]
    }
    const headers = { accept: 'application/vnd.apache.arrow.stream' }
    const ask = async (organisation: string): Promise<string> => {
      return (await system.ask(organisation, { method: 'POST', url: '/query', payload, headers })).bytes.toString('latin1')
    }
    expect(await ask('globex')).toContain(SUBJECT)
    expect(await ask('acme')).not.toContain(SUBJECT)
    expect(await ask('acme')).toContain('somebody-else')
  })
})
