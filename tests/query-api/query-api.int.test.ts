import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { insertBatch } from '../../clickhouse/index.ts'
import { formatTime, parseTime, userTags } from '../../contract/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { NOTHING_HIDDEN, clickHouseQueryClient, queryApiConfig, queryApiRoutes } from '../../query-api/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { FastifyInstance } from 'fastify'
import type { UserTag } from '../../contract/index.ts'
import type { TestClickHouse, TestDatabase } from '../support/clickhouse.ts'

const CONFIG = queryApiConfig({
  PROFILE_BATCH_SIZE_MAX: 64,
  PROFILE_BATCH_BYTES_MAX: 65_536,
  PROFILE_QUERIES_MAX: 1,
  PROFILE_QUERY_INTERVAL_MS: 25,
  STATISTICS_QUERY_INTERVAL_MS: 25,
  AGGREGATES_QUERIES_MAX: 2,
  QUERY_QUEUE_MAX: 1000,
  QUERY_TIMEOUT_MS: 60_000
})

let clickHouse: TestClickHouse
const servers: FastifyInstance[] = []
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterEach(async () => { await Promise.all(servers.splice(0).map((server) => server.close())) })
afterAll(async () => { await clickHouse?.close() })

interface Answer { status: number, body: any }

/** A server over an empty database, and a way to put events into it as the processors do. */
async function start (database?: TestDatabase) {
  const { readClient, writeClient } = database ?? await clickHouse.freshDatabase()
  const server = createServer({ log: pino({ level: 'silent' }) })
  const paths = collectPaths(server)
  await server.register(queryApiRoutes, {
    client: clickHouseQueryClient(readClient, NOTHING_HIDDEN), config: CONFIG, registry: new Registry()
  })
  finishRoutes(server, paths)
  servers.push(server)
  let offset = 0
  return {
    readClient,
    store: async (tags: readonly UserTag[], tenant = 'default', partition = 0): Promise<void> => {
      const rows = tags.map((tag) => {
        const record = userTags.toRecord(tag, {
          tenant, eventId: tag.event_id ?? `e${offset}`, eventIdOrigin: tag.event_id === undefined ? 'SERVER' : 'BODY'
        })
        return userTags.toRow(record, { partition, offset: offset++, receivedAtMs: Date.now() })
      })
      await insertBatch({ client: writeClient, table: userTags.tables.raw, rows, token: `${partition}-${offset}` })
    },
    post: async (path: string, query: Record<string, string | string[]>): Promise<Answer> => {
      const answer = await server.inject({ method: 'POST', url: path, query })
      return { status: answer.statusCode, body: answer.json() }
    }
  }
}

const T0 = Date.UTC(2021, 0, 1, 0, 0, 0, 123)
const HOUR = 3_600_000
/** A time as `time_range` writes it. */
const civil = (ms: number): string => formatTime(ms).slice(0, -1)
const range = (fromMs: number, toMs: number): string => `${civil(fromMs)}_${civil(toMs)}`

function tag (time: string | number, changes: Partial<UserTag> = {}, product: Partial<UserTag['product_info']> = {}) {
  return {
    time: typeof time === 'number' ? formatTime(time) : time,
    cookie: 'c',
    country: 'PL',
    device: 'PC' as const,
    action: 'VIEW' as const,
    origin: 'CAMPAIGN_1',
    ...changes,
    product_info: { product_id: 1, brand_id: 'adidas', category_id: 'shoes', price: 100, ...product }
  }
}

describe('profiles from ClickHouse', () => {
  it('hold the tags of [from, to), newest first', async () => {
    const { store, post } = await start()
    const [e1, e2, e3] = [tag(T0), tag(T0 + HOUR), tag(T0 + 2 * HOUR)]
    await store([e1, e2, e3])
    const views = async (to: number) => (await post('/user_profiles/c', { time_range: range(T0, to) })).body
    expect(await views(T0 + HOUR)).toEqual({ cookie: 'c', views: [e1], buys: [] })
    expect(await views(T0 + 2 * HOUR)).toEqual({ cookie: 'c', views: [e2, e1], buys: [] })
    expect(await views(T0 + 2 * HOUR + 1)).toEqual({ cookie: 'c', views: [e3, e2, e1], buys: [] })
  })

  it('hold the newest of each list up to the limit, 200 without one, after the filter of time', async () => {
    const { store, post } = await start()
    await store(Array.from({ length: 251 }, (_, index) => ['BUY', 'VIEW'] as const).flatMap((actions, index) => {
      return actions.map((action) => tag(T0 + index * 1000, { action }, { product_id: index }))
    }))
    const ids = (tags: UserTag[]) => tags.map(({ product_info: product }) => product.product_id)
    const newest = (count: number) => Array.from({ length: count }, (_, index) => 249 - index)
    for (const [limit, count] of [['100', 100], [undefined, 200], ['200', 200], ['1', 1]] as const) {
      const query = { time_range: range(T0, T0 + 250_000), ...(limit === undefined ? {} : { limit }) }
      const { body } = await post('/user_profiles/c', query)
      expect([ids(body.views), ids(body.buys)]).toEqual([newest(count), newest(count)])
    }
  })

  it('give each tag back as it was sent, whatever its text holds', async () => {
    const { store, post } = await start()
    const texts = ["'; DROP TABLE user_tags; --", '\\', "\\'", '{x:String}', '{cookies:Array(String)}', 'a|b', 'ä/%26',
      'null', 'None', '\\N', '"', '`', '\t\n\r\b\f', '___', ':|%&/', '\u{1F36A}', '[]', "['a','b']", ' ', '\u2028', '1',
      'x'.repeat(1024), '\u{1F36A}'.repeat(1024), "'".repeat(1024)]
    const times = ['2022-03-22T12:15:00Z', '2022-03-22T12:15:01.000Z', '2022-03-22T12:15:02.5Z',
      '2022-03-22T13:15:03+01:00', '2022-03-22t12:15:04.120z']
    const tags = texts.map((text, index) => tag(times[index % times.length] as string, {
      cookie: text, origin: text, country: text, ...(index % 2 === 0 ? { event_id: `id ${index}` } : {})
    }, { product_id: index % 3 === 0 ? text : index % 3 === 1 ? '12486' : 12486, brand_id: text, category_id: text }))
    await store(tags)
    const query = { time_range: '2022-03-22T12:00:00_2022-03-22T13:00:00' }
    const answers = await Promise.all(tags.map(({ cookie }) => {
      return post(`/user_profiles/${encodeURIComponent(cookie)}`, query)
    }))
    for (const [index, { body }] of answers.entries()) {
      expect(body).toEqual({ cookie: tags[index]?.cookie, views: [tags[index]], buys: [] })
    }
    for (const text of texts) {
      const { body } = await post('/aggregates', {
        time_range: '2022-03-22T12:15:00_2022-03-22T12:16:00', action: 'VIEW', aggregates: 'COUNT', origin: text, brand_id: text, category_id: text
      })
      expect(body.rows).toEqual([['2022-03-22T12:15:00', 'VIEW', text, text, text, '1']])
    }
  })

  it('keep events of one millisecond, the last of the log first', async () => {
    const { store, post } = await start()
    await store([0, 1, 2].map((id) => tag(T0, {}, { product_id: id })), 'default', 1)
    await store([3, 4].map((id) => tag(T0, {}, { product_id: id })), 'default', 0)
    for (let repetition = 0; repetition < 3; repetition++) {
      const { body } = await post('/user_profiles/c', { time_range: range(T0, T0 + 1) })
      expect(body.views.map((view: UserTag) => view.product_info.product_id)).toEqual([2, 1, 0, 4, 3])
    }
  })

  it('never hold what belongs to another tenant or another shopper', async () => {
    const { store, post } = await start()
    await store([tag(T0, { cookie: 'a' }), tag(T0, { cookie: 'a b' }), tag(T0, { cookie: 'A' })])
    await store([tag(T0, { cookie: 'a' }, { price: 7 })], 'rival', 2)
    const { body } = await post('/user_profiles/a', { time_range: range(T0, T0 + 1) })
    expect(body.views).toEqual([tag(T0, { cookie: 'a' })])
    const minute = '2021-01-01T00:00:00_2021-01-01T00:01:00'
    const sums = await post('/aggregates', { time_range: minute, action: 'VIEW', aggregates: 'COUNT' })
    expect(sums.body.rows).toEqual([['2021-01-01T00:00:00', 'VIEW', '3']])
  })

  it('answer unknown shoppers and times that no table holds with empty lists', async () => {
    const { post } = await start()
    for (const timeRange of ['0000-01-01T00:00:00_9999-12-31T23:59:59', '9998-01-01T00:00:00_9999-01-01T00:00:00']) {
      expect(await post('/user_profiles/nobody', { time_range: timeRange }))
        .toEqual({ status: 200, body: { cookie: 'nobody', views: [], buys: [] } })
    }
  })
})

describe('aggregates from ClickHouse', () => {
  it('count and sum each minute, with zeros, filters, and the columns in order', async () => {
    const { store, post } = await start()
    const apple = { brand_id: 'apple', price: 50 }
    await store([
      tag('2022-03-22T12:15:00.000Z', { action: 'BUY' }, apple), tag('2022-03-22T12:15:00.000Z', {}, apple),
      tag('2022-03-22T12:17:00.000Z', {}, { brand_id: 'pear', price: 30 })
    ])
    const query = {
      time_range: '2022-03-22T12:15:00_2022-03-22T12:18:00', action: 'VIEW', aggregates: ['COUNT', 'SUM_PRICE']
    }
    const row = (minute: number, ...cells: string[]) => [`2022-03-22T12:${minute}:00`, 'VIEW', ...cells]
    expect((await post('/aggregates', query)).body).toEqual({
      columns: ['1m_bucket', 'action', 'count', 'sum_price'],
      rows: [row(15, '1', '50'), row(16, '0', '0'), row(17, '1', '30')]
    })
    expect((await post('/aggregates', { ...query, brand_id: 'pear' })).body.rows)
      .toEqual([row(15, 'pear', '0', '0'), row(16, 'pear', '0', '0'), row(17, 'pear', '1', '30')])
    const shorter = await post('/aggregates', { ...query, time_range: '2022-03-22T12:15:00_2022-03-22T12:17:00' })
    expect(shorter.body.rows).toEqual([row(15, '1', '50'), row(16, '0', '0')])
  })

  it('give sums above 2^53 to the last digit', async () => {
    const database = await clickHouse.freshDatabase()
    const { post } = await start(database)
    const row = {
      received_date: formatTime(Date.now()).slice(0, 10),
      tenant: 'default',
      action: 'BUY',
      minute: '2022-03-22 12:15:00',
      origin: 'o',
      brand_id: 'b',
      category_id: 'k',
      count: '9007199254740993',
      sum_price: '-9007199254740993'
    }
    await insertBatch({
      client: database.writeClient,
      table: 'user_tags_by_minute',
      rows: [row, { ...row, origin: 'p', count: '2', sum_price: '-2' }],
      token: 'sums'
    })
    const query = {
      time_range: '2022-03-22T12:15:00_2022-03-22T12:16:00', action: 'BUY', aggregates: ['SUM_PRICE', 'COUNT']
    }
    expect((await post('/aggregates', query)).body.rows)
      .toEqual([['2022-03-22T12:15:00', 'BUY', '-9007199254740995', '9007199254740995']])
  })
})

describe('answers and a plain in-memory model', () => {
  it('agree for any events and any requests at once', async () => {
    const { store, post } = await start()
    const cookies = ['a', "a'", 'a\\', 'ä']
    const base = Date.UTC(2022, 2, 22, 12, 0)
    const event = fc.record({
      ms: fc.integer({ min: base, max: base + 240_000 }).map((ms) => ms - ms % 250),
      cookie: fc.constantFrom(...cookies),
      action: fc.constantFrom('VIEW' as const, 'BUY' as const),
      origin: fc.constantFrom('o', 'p'),
      price: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    })
    const bounds = fc.tuple(fc.integer({ min: -10, max: 990 }), fc.integer({ min: -10, max: 990 }))
      .map(([a, b]) => [base + Math.min(a, b) * 250, base + Math.max(a, b) * 250] as const)
    const limits = fc.integer({ min: 0, max: 200 })
    const profile = fc.record({ cookie: fc.constantFrom(...cookies), bounds, limit: limits })
    const minutes = fc.tuple(fc.nat(5), fc.nat(5)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
    const stored: UserTag[] = []
    await fc.assert(fc.asyncProperty(
      fc.array(event, { maxLength: 300 }), fc.array(profile, { maxLength: 30 }), minutes,
      async (events, profiles, [fromMinute, toMinute]) => {
        const tags = events.map(({ ms, price, ...fields }, index) => {
          return tag(ms, fields, { price, product_id: stored.length + index })
        })
        await store(tags)
        stored.push(...tags)
        await Promise.all(profiles.map(async ({ cookie, bounds: [from, to], limit }) => {
          const newest = (action: string) => stored
            .map((sent) => ({ sent, ms: parseTime(sent.time) as number }))
            .filter(({ sent }) => sent.cookie === cookie && sent.action === action)
            .filter(({ ms }) => ms >= from && ms < to)
            .reverse().sort((a, b) => b.ms - a.ms).slice(0, limit).map(({ sent }) => sent)
          const { body } = await post(`/user_profiles/${encodeURIComponent(cookie)}`, {
            time_range: range(from, to), limit: String(limit)
          })
          expect(body).toEqual({ cookie, views: newest('VIEW'), buys: newest('BUY') })
        }))
        const at = (minute: number) => civil(base + minute * 60_000).slice(0, 19)
        const { body } = await post('/aggregates', {
          time_range: `${at(fromMinute)}_${at(toMinute)}`,
          action: 'BUY',
          aggregates: ['SUM_PRICE', 'COUNT'],
          origin: 'p'
        })
        expect(body.rows).toEqual(Array.from({ length: toMinute - fromMinute }, (_, index) => {
          const minute = at(fromMinute + index)
          const own = stored.filter(({ time, action, origin }) => {
            return time.startsWith(minute.slice(0, 16)) && action === 'BUY' && origin === 'p'
          })
          const sum = own.reduce((total, { product_info: { price } }) => total + BigInt(price), 0n)
          return [minute, 'BUY', 'p', String(sum), String(own.length)]
        }))
      }), { numRuns: 15 })
  })
})
