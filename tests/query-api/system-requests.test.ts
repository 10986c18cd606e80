import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { queryApiConfig, queryApiRoutes } from '../../query-api/index.ts'
import { prefersJson } from '../../query-api/prefers-json.ts'
import type { FastifyInstance } from 'fastify'
import type { RouteAccess } from '../../http/index.ts'

const CONFIG = queryApiConfig({
  PROFILE_BATCH_SIZE_MAX: 64,
  PROFILE_BATCH_BYTES_MAX: 10_240,
  PROFILE_QUERIES_MAX: 1,
  PROFILE_QUERY_INTERVAL_MS: 0,
  STATISTICS_QUERY_INTERVAL_MS: 0,
  AGGREGATES_QUERIES_MAX: 1,
  QUERY_QUEUE_MAX: 10,
  QUERY_TIMEOUT_MS: 60_000
})
const REPORTS = [
  'stages', 'stages/time', 'elements', 'conversion', 'devices', 'browsers', 'pages', 'journey'
]

let server: FastifyInstance
const access = new Map<string, RouteAccess | undefined>()
beforeAll(async () => {
  server = createServer({ log: pino({ level: 'silent' }) })
  server.addHook('onRoute', ({ method, url, config }) => {
    access.set(`${String(method)} ${url}`, config?.access)
  })
  const paths = collectPaths(server)
  await server.register(queryApiRoutes, {
    client: { query: async () => [] },
    config: CONFIG,
    registry: new Registry(),
    now: () => Date.UTC(2024, 2, 1)
  })
  finishRoutes(server, paths)
})
afterAll(() => server.close())

const get = (url: string) => server.inject({ method: 'GET', url })

describe('a request', () => {
  it.each([
    '/user/u', '/user/u?days=1', '/user/u?days=90&as_of=2024-02-29', '/user/u?as_of=2024-02-29T12:00:00.123456789Z',
    '/user/u?as_of=0000-01-01T00:00:00Z', '/user/%F0%9F%8D%AA%2F%27', '/analytics?timestamp=0',
    '/analytics?timestamp=4291747199', '/analytics?timestamp=4291747199999', '/visits',
    '/visits?aggregation=minute&dateFrom=2024-01-01&dateTo=2024-01-06', '/visits?unique=false',
    '/visits?aggregation=month&dateFrom=1970-01-01&dateTo=2105-12-31', '/visits?dateFrom=2024-03-01',
    ...REPORTS.map((report) => `/apps/shop/${report}?from=2024-01-01&to=2024-01-01T00:00:00Z`)
  ])('is answered: %s', async (url) => {
    expect((await get(url)).statusCode).toBe(200)
  })

  it.each([
    ['/user/u?days=0', 'invalid_parameter'], ['/user/u?days=91', 'invalid_parameter'],
    ['/user/u?days=7.5', 'invalid_parameter'], ['/user/u?days=', 'invalid_parameter'],
    ['/user/u?days=1&days=2', 'invalid_parameter'], ['/user/u?day=1', 'invalid_parameter'],
    ['/user/%00', 'invalid_parameter'], [`/user/${'x'.repeat(1025)}`, 'invalid_parameter'],
    ['/user/u?as_of=now', 'invalid_time'], ['/user/u?as_of=2024-02-30', 'invalid_time'],
    ['/user/u?as_of=2024-02-29T12:00:00', 'invalid_time'], ['/user/u?as_of=1709208000', 'invalid_time'],
    ['/analytics', 'invalid_time'], ['/analytics?timestamp=', 'invalid_time'],
    ['/analytics?timestamp=-1', 'invalid_time'], ['/analytics?timestamp=1.5', 'invalid_time'],
    ['/analytics?timestamp=1e9', 'invalid_time'], ['/analytics?timestamp=1&timestamp=1', 'invalid_time'],
    ['/analytics?timestamp=4291747200', 'out_of_range'], ['/analytics?timestamp=99999999999', 'out_of_range'],
    ['/analytics?timestamp=1&user=1', 'invalid_parameter'],
    ['/visits?aggregation=week', 'invalid_parameter'], ['/visits?aggregation=', 'invalid_parameter'],
    ['/visits?aggregation=day&aggregation=day', 'invalid_parameter'], ['/visits?unique=1', 'invalid_parameter'],
    ['/visits?dateFrom=2024-02-30', 'invalid_time'], ['/visits?dateTo=01.02.2024', 'invalid_time'],
    ['/visits?dateFrom=2024-02-02&dateTo=2024-02-01', 'invalid_time_range'],
    ['/visits?dateFrom=2024-03-02', 'invalid_time_range'],
    ['/visits?aggregation=minute&dateFrom=2024-01-01&dateTo=2024-01-08', 'invalid_time_range'],
    ['/visits?aggregation=day&dateFrom=1990-01-01', 'invalid_time_range'], ['/visits?page=1', 'invalid_parameter'],
    ['/apps/shop/journey?kind=page', 'invalid_parameter'], ['/apps/%00/stages', 'invalid_parameter'],
    ...REPORTS.flatMap((report): Array<[string, string]> => [
      [`/apps/shop/${report}?from=2023-01-01&to=2024-03-01`, 'invalid_time_range'],
      [`/apps/shop/${report}?from=2024-02-02&to=2024-02-01`, 'invalid_time_range'],
      [`/apps/shop/${report}?from=yesterday`, 'invalid_time'], [`/apps/shop/${report}?limit=1`, 'invalid_parameter']
    ]), ['/apps/shop/stages?kind=url', 'invalid_parameter']
  ])('is refused: %.60s, with %s', async (url, code) => {
    const answer = await get(url)
    expect([answer.statusCode, answer.json().code]).toEqual([400, code])
  })

  it('needs the scope query on every route, and a key for visits', () => {
    const gets = [...access].filter(([route]) => route.startsWith('GET ') || route.startsWith('HEAD '))
    expect(gets).toHaveLength(2 * (REPORTS.length + 3))
    for (const [route, asked] of gets) {
      expect([route, asked]).toEqual([
        route, { scope: 'query', ...(route.endsWith(' /visits') ? { keyRequired: true } : {}) }
      ])
    }
  })
})

describe('JSON instead of text', () => {
  it.each([
    ['application/json', true], ['application/json, */*;q=0.5', true], ['text/plain;q=0.5, application/json', true],
    ['Application/JSON; charset=utf-8', true], [undefined, false], ['', false], ['*/*', false], ['text/plain', false],
    ['application/json, text/plain, */*', false], ['application/json;q=0', false],
    ['application/json;q=0.5, text/*', false], ['application/json;q=x', false], [',;,q=', false]
  ])('for Accept %j: %s', (accept, json) => {
    expect(prefersJson(accept)).toBe(json)
  })
})
