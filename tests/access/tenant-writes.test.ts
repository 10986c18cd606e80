/** What comes in by a key is its organisation's, by whatever route, and whatever the request claims. */
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDecoder, createEncoder, streams } from '../../contract/index.ts'
import { GroupAppender, ingestMetrics, ingestRoutes } from '../../ingest/index.ts'
import { defaultIngestConfig } from '../support/ingest-server.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { accessFolder, fileWithKeys, startGuarded } from './access-server.ts'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { RouteAccess } from '../../http/index.ts'

const TIME = '2026-03-04T05:06:07Z'
const TAG = {
  time: TIME,
  cookie: 'c',
  country: 'PL',
  device: 'PC',
  action: 'VIEW',
  origin: 'o',
  product_info: { product_id: 1, brand_id: 'b', category_id: 'k', price: 10 }
}
const PAGE = { user_id: 'u', name: 'n', timestamp: TIME }
const VISIT = { identifier: 'i', pageUrl: 'https://p.example/', visitedAt: TIME }
const CLICK = { type: 'click', app: 'a', device_id: 'd', elapsed_time: 1, timestamp: TIME, target: 't', current_url: '/' }
const { app: _app, ...APP_CLICK } = { ...CLICK, timestamp: Date.parse(TIME) }

/** One good request for every route that takes events; a new route adds its own. */
const WRITE_EXAMPLES: Readonly<Record<string, InjectOptions>> = {
  'POST /user_tags': { url: '/user_tags', payload: TAG },
  'POST /page': { url: '/page', payload: PAGE },
  'POST /visits': { url: '/visits', payload: VISIT },
  'POST /analytics': { url: `/analytics?timestamp=${Date.parse(TIME)}&user=u&event=click` },
  'POST /interactions/:app': { url: '/interactions/a', payload: APP_CLICK },
  'POST /events/user_tags': { url: '/events/user_tags', payload: TAG },
  'POST /events/page_views': { url: '/events/page_views', payload: PAGE },
  'POST /events/visits': { url: '/events/visits', payload: VISIT },
  'POST /events/interactions': { url: '/events/interactions', payload: CLICK },
  'POST /events/analytics': { url: '/events/analytics', payload: { timestamp: TIME, user: 'u', event: 'click' } }
}

const folder = accessFolder()
const { file, secrets } = fileWithKeys([
  { organisation: 'acme', scopes: ['ingest'] }, { organisation: 'globex', scopes: ['ingest'] },
  { organisation: 'acme', scopes: ['query', 'admin'] }
])
const log = createMemoryLog()
const routes: Array<{ name: string, access: RouteAccess }> = []
let server: FastifyInstance
let close: () => Promise<void>

beforeAll(async () => {
  folder.write(file)
  const metrics = ingestMetrics(new Registry())
  const appender = new GroupAppender({ log, metrics, config: { ...defaultIngestConfig(), budgetMs: 5_000 } })
  const guarded = await startGuarded(folder.file, {
    routes: async (server) => {
      server.addHook('onRoute', ({ method, url, config }) => {
        const name = `${[method].flat().join(',')} ${url}`
        if (config?.access !== undefined) routes.push({ name, access: config.access })
      })
      await server.register(ingestRoutes, { appender, metrics, encoderOf: (stream) => createEncoder(stream) })
    }
  })
  server = guarded.server
  close = async () => { await guarded.close(); await appender.close() }
})
afterAll(async () => {
  await close()
  folder.remove()
})

async function tenantsStored (): Promise<string[]> {
  const batches = log.batches.splice(0)
  const decoded = await Promise.all(batches.map(async ({ topic, records }) => {
    const stream = streams.find((each) => each.topic === topic)
    if (stream === undefined) throw new Error(`no stream has the topic ${topic}`)
    return await createDecoder(stream).decode(records.map(({ value }) => value))
  }))
  return decoded.flat().map((result) => {
    if (!result.ok) throw new Error(result.detail)
    return (result.record as { tenant: string }).tenant
  })
}

test('every route that takes events has an example', () => {
  expect(routes.map(({ name }) => name).filter((name) => !(name in WRITE_EXAMPLES))).toEqual([])
  expect(routes.every(({ access }) => access.scope === 'ingest')).toBe(true)
  expect(routes.length).toBeGreaterThan(0)
})

test('an event is stored as its key\'s organisation\'s, by every route', async () => {
  for (const { name } of routes) {
    for (const [index, tenant] of ['acme', 'globex'].entries()) {
      const headers = { 'x-api-key': secrets[index] as string }
      const answer = await server.inject({ method: 'POST', headers, ...WRITE_EXAMPLES[name] })
      expect(answer.statusCode, `${name}: ${answer.body}`).toBeLessThan(300)
      expect(await tenantsStored(), name).toEqual([tenant])
    }
  }
})

test('an event that claims another organisation is refused, or stored as its key\'s', async () => {
  for (const { name } of routes) {
    const { payload, ...request } = WRITE_EXAMPLES[name] as InjectOptions
    const claim = { ...payload as object, tenant: 'globex' }
    const headers = { 'x-api-key': secrets[0], 'x-tenant': 'globex' }
    const answer = await server.inject({ method: 'POST', headers, ...request, payload: claim })
    if (answer.statusCode < 300) expect(await tenantsStored(), name).not.toContain('globex')
    else expect(answer.statusCode, name).toBe(400)
    log.batches.splice(0)
  }
})

test('nothing is stored without a key, or by a key that may only read', async () => {
  for (const { name } of routes) {
    const bare = await server.inject({ method: 'POST', ...WRITE_EXAMPLES[name] })
    const headers = { 'x-api-key': secrets[2] as string }
    const reader = await server.inject({ method: 'POST', headers, ...WRITE_EXAMPLES[name] })
    expect([bare.statusCode, reader.statusCode], name).toEqual([401, 403])
  }
  expect(log.batches).toEqual([])
})
