import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { queryApiConfig, queryApiRoutes } from '../../query-api/index.ts'
import { MemoryQueryClient } from './memory-query-client.ts'
import type { FastifyInstance } from 'fastify'
import type { QueryClient } from '../../query-api/index.ts'

const PROFILE = '/user_profiles/c?time_range=2022-03-22T12:00:00_2022-03-22T13:00:00.000'
const AGGREGATES = '/aggregates?time_range=2022-03-22T12:15:00_2022-03-22T12:17:00&action=VIEW&aggregates=COUNT'
const T0 = Date.UTC(2022, 2, 22, 12, 15)
const CONFIG = queryApiConfig({
  PROFILE_BATCH_SIZE_MAX: 64,
  PROFILE_BATCH_BYTES_MAX: 10_240,
  PROFILE_QUERIES_MAX: 1,
  PROFILE_QUERY_INTERVAL_MS: 25,
  STATISTICS_QUERY_INTERVAL_MS: 25,
  AGGREGATES_QUERIES_MAX: 1,
  QUERY_QUEUE_MAX: 1,
  QUERY_TIMEOUT_MS: 60_000
})

const servers: FastifyInstance[] = []
afterEach(async () => { await Promise.all(servers.splice(0).map((server) => server.close())) })

async function start (client: QueryClient = new MemoryQueryClient()) {
  const registry = new Registry()
  const server = createServer({ log: pino({ level: 'silent' }) })
  const paths = collectPaths(server)
  await server.register(queryApiRoutes, { client, config: CONFIG, registry })
  finishRoutes(server, paths)
  servers.push(server)
  return { server, registry, post: (url: string) => server.inject({ method: 'POST', url }) }
}

function tag (time: string, offset: number, changes: object = {}) {
  const row = {
    time: `${time}Z`,
    cookie: 'c',
    country: 'PL',
    device: 'PC',
    action: 'VIEW',
    origin: 'o',
    product_id: '7',
    product_id_is_number: true,
    brand_id: 'b',
    category_id: 'k',
    price: 50,
    time_text: null,
    event_id: 'e',
    event_id_origin: 'SERVER',
    ...changes
  }
  return { row, ms: Date.parse(row.time), partition: 0, offset }
}

describe('POST /user_profiles/{cookie}', () => {
  it('answers tags as they were sent, and empty lists for an unknown shopper', async () => {
    const client = new MemoryQueryClient()
    client.tags = [tag('2022-03-22T12:15:00.000', 1), tag('2022-03-22T12:15:00.000', 2, { time_text: '2022-03-22T12:15:00Z', product_id_is_number: false, event_id_origin: 'BODY' })]
    const { post } = await start(client)
    const sent = {
      time: '2022-03-22T12:15:00.000Z',
      cookie: 'c',
      country: 'PL',
      device: 'PC',
      action: 'VIEW',
      origin: 'o',
      product_info: { product_id: 7, brand_id: 'b', category_id: 'k', price: 50 }
    }
    const answer = await post(PROFILE)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({
      cookie: 'c',
      views: [
        { ...sent, time: '2022-03-22T12:15:00Z', product_info: { ...sent.product_info, product_id: '7' }, event_id: 'e' },
        sent
      ],
      buys: []
    })
    expect((await post(PROFILE.replace('/c?', '/nobody?'))).json()).toEqual({ cookie: 'nobody', views: [], buys: [] })
  })

  it('takes the cookie and the parameters percent-encoded', async () => {
    const { post } = await start()
    const cookie = "ä/%26 a+b?#|:'\\\u{1F36A}"
    const answer = await post(`/user_profiles/${encodeURIComponent(cookie)}?time_range=2022-03-22T12%3A00%3A00%5F2022-03-22T13%3A00%3A00%2E5&limit=%31`)
    expect(answer.json()).toEqual({ cookie, views: [], buys: [] })
  })

  it('asks the database nothing for limit 0 or an empty range', async () => {
    const client = new MemoryQueryClient()
    const { post } = await start(client)
    expect((await post(`${PROFILE}&limit=0`)).json()).toEqual({ cookie: 'c', views: [], buys: [] })
    expect((await post('/user_profiles/c?time_range=2022-03-22T12:00:00_2022-03-22T12:00:00.000')).statusCode).toBe(200)
    expect(client.queries).toEqual([])
  })

  it.each([
    ['/user_profiles/c', 'invalid_time_range'],
    [`${PROFILE}&limit=201`, 'invalid_limit'],
    [`${PROFILE}&page=2`, 'invalid_parameter'],
    [PROFILE.replace('/c?', '/%00?'), 'invalid_parameter'],
    [PROFILE.replace('/c?', '/%?'), 'invalid_request'],
    [PROFILE.replace('/c?', `/${'x'.repeat(1025)}?`), 'invalid_parameter']
  ])('refuses %.60s with %s', async (url, code) => {
    const answer = await (await start()).post(url)
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json().code).toBe(code)
  })

  it('answers 405 to other methods', async () => {
    const { server } = await start()
    expect((await server.inject({ method: 'GET', url: PROFILE })).statusCode).toBe(405)
  })
})

describe('POST /aggregates', () => {
  it('answers strings in the stated order of columns, one row a minute', async () => {
    const client = new MemoryQueryClient()
    client.tags = [tag('2022-03-22T12:16:59.999', 1), tag('2022-03-22T12:17:00.000', 2)]
    const { post } = await start(client)
    expect((await post(`${AGGREGATES}&aggregates=SUM_PRICE&brand_id=b&origin=o`)).json()).toEqual({
      columns: ['1m_bucket', 'action', 'origin', 'brand_id', 'count', 'sum_price'],
      rows: [
        ['2022-03-22T12:15:00', 'VIEW', 'o', 'b', '0', '0'], ['2022-03-22T12:16:00', 'VIEW', 'o', 'b', '1', '50']
      ]
    })
  })

  it('answers an empty range with no rows, and asks the database nothing', async () => {
    const client = new MemoryQueryClient()
    const { post } = await start(client)
    const answer = await post(AGGREGATES.replace('12:17:00', '12:15:00'))
    expect(answer.json()).toEqual({ columns: ['1m_bucket', 'action', 'count'], rows: [] })
    expect(client.queries).toEqual([])
  })

  it('reads + in a value as a space, and aggregates[] as aggregates', async () => {
    const client = new MemoryQueryClient()
    const { post } = await start(client)
    const url = AGGREGATES.replace('aggregates=COUNT', 'aggregates%5B%5D=SUM_PRICE&aggregates[]=COUNT')
    expect((await post(`${url}&brand_id=Ebros+Gift%2B`)).json().columns).toEqual(['1m_bucket', 'action', 'brand_id', 'sum_price', 'count'])
    expect(client.queries[0]?.params['brand_id']).toBe('Ebros Gift+')
  })

  it.each([
    [AGGREGATES.replace('12:17:00', '12:26:00'), 'invalid_time_range'],
    [AGGREGATES.replace('VIEW', 'LOOK'), 'invalid_action'],
    [`${AGGREGATES}&aggregates=COUNT`, 'invalid_aggregates'],
    [`${AGGREGATES}&origin=`, 'invalid_parameter'],
    [`${AGGREGATES}&origin=a&origin=b`, 'invalid_parameter'],
    [`${AGGREGATES}&__proto__=a`, 'invalid_parameter']
  ])('refuses %s', async (url, code) => {
    const answer = await (await start()).post(url)
    expect([answer.statusCode, answer.json().code]).toEqual([400, code])
  })
})

describe('the query routes', () => {
  it.each([
    ['application/json', '{"truncated'], ['application/json', ''], ['text/plain', 'x'], ['nonsense', 'x'],
    ['application/octet-stream', Buffer.alloc(1024 * 1024)]
  ])('ignore a body of type %s', async (contentType, payload) => {
    const { server } = await start()
    for (const url of [PROFILE, AGGREGATES]) {
      const answer = await server.inject({ method: 'POST', url, headers: { 'content-type': contentType }, payload })
      expect(answer.statusCode).toBe(200)
    }
  })

  it('refuse a body above 1 MiB with 413', async () => {
    const { server } = await start()
    const answer = await server.inject({ method: 'POST', url: PROFILE, payload: Buffer.alloc(1024 * 1024 + 1) })
    expect([answer.statusCode, answer.json().code]).toEqual([413, 'body_too_large'])
  })

  it('answer over a socket after a body was read, chunked or not, without taking it for a lost client', async () => {
    const { server } = await start()
    await server.listen({ host: '127.0.0.1', port: 0 })
    const { port } = server.server.address() as AddressInfo
    for (const headers of [{ 'transfer-encoding': 'chunked' }, { 'content-length': 5 }, {}]) {
      const status = await new Promise((resolve, reject) => {
        const sent = httpRequest({ host: '127.0.0.1', port, path: PROFILE, method: 'POST', headers }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode))
        })
        sent.on('error', reject)
        sent.end(Object.keys(headers).length === 0 ? undefined : 'hello')
      })
      expect(status).toBe(200)
    }
  })

  it('do not ask the database for a client that has gone', async () => {
    const held = Promise.withResolvers<never[]>()
    const cookies: unknown[] = []
    const { server, post, registry } = await start({
      query: ({ params }) => { cookies.push(params['cookies']); return held.promise }
    })
    await server.listen({ host: '127.0.0.1', port: 0 })
    const { port } = server.server.address() as AddressInfo
    const first = post(PROFILE)
    await expect.poll(() => cookies).toHaveLength(1)
    const gone = httpRequest({ host: '127.0.0.1', port, path: PROFILE.replace('/c?', '/gone?'), method: 'POST' })
    gone.on('error', () => undefined)
    gone.end()
    const waiting = async (count: number) => {
      await expect.poll(() => registry.metrics()).toContain(`millrace_query_queue_length{query="profiles"} ${count}`)
    }
    await waiting(1)
    gone.destroy()
    await waiting(0)
    held.resolve([])
    await first
    expect(cookies).toEqual([['c']])
  })

  it('answer 503 with Retry-After where the database is unavailable, then serve again', async () => {
    const client = new MemoryQueryClient()
    client.failOn = 1
    const { post } = await start(client)
    const failed = await post(PROFILE)
    expect([failed.statusCode, failed.json().code, failed.headers['retry-after']])
      .toEqual([503, 'storage_unavailable', '1'])
    expect((await post(PROFILE)).statusCode).toBe(200)
  })

  it('answer 500 and say nothing of the cause where a query fails for another reason', async () => {
    const client = new MemoryQueryClient()
    client.failOn = 1
    client.failure = new Error('secret text of the database')
    const answer = await (await start(client)).post(AGGREGATES)
    expect([answer.statusCode, answer.json().code]).toEqual([500, 'internal'])
    expect(answer.body).not.toContain('secret')
  })

  it('answer 503 overloaded beyond the queue, and count queries, batches and waiting requests', async () => {
    const held = Promise.withResolvers<never[]>()
    const { post, registry } = await start({ query: () => held.promise })
    const answers = ['a', 'b', 'c'].map((cookie) => post(PROFILE.replace('/c?', `/${cookie}?`)))
    const refused = await Promise.race(answers)
    expect([refused.statusCode, refused.json().code]).toEqual([503, 'overloaded'])
    expect(await registry.metrics()).toContain('millrace_query_queue_length{query="profiles"} 1')
    held.resolve([])
    expect((await Promise.all(answers)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 503])
    const text = await registry.metrics()
    expect(text).toContain('millrace_query_duration_seconds_count{query="profiles"} 2')
    expect(text).toContain('millrace_query_batch_size_count{query="profiles"} 2')
    expect(text).toContain('millrace_query_queue_length{query="profiles"} 0')
  })

  it('answer the range of a minute from its first millisecond on', async () => {
    const client = new MemoryQueryClient()
    client.tags = [tag(new Date(T0).toISOString().slice(0, -1), 1)]
    const { post } = await start(client)
    expect((await post(AGGREGATES)).json().rows[0]).toEqual(['2022-03-22T12:15:00', 'VIEW', '1'])
  })
})
