/**
 * Every route of the system as `serve` composes it, over a real engine: an answer holds the data of its key's
 * organisation and of no other, for the same subjects, times and values.
 */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openServePart, serveRole } from '../../cli/roles/serve.ts'
import { Closers } from '../../cli/role.ts'
import { loadSettings } from '../../cli/settings.ts'
import { insertBatch } from '../../clickhouse/index.ts'
import { analytics, createEncoder, interactions, pageViews, toDateTime, userTags, visits } from '../../contract/index.ts'
import { collectPaths, createServer, finishRoutes, registerHealth, registerMetrics } from '../../http/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { accessFolder, fileWithKeys } from './access-server.ts'
import { APP, ERASURE_ROUTES, EVENT_TIME, READ_EXAMPLES, SUBJECT } from './read-examples.ts'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Interaction, Stream, UserTag } from '../../contract/index.ts'
import type { RouteAccess } from '../../http/index.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'
import type { Ask } from './read-examples.ts'

/** Routes that need no key: they tell nothing of anybody's data. */
const OPEN_ROUTES = [
  /^GET \/health\/(live|ready|dependencies)$/, /^GET \/metrics$/, /^GET \/user-tracker\.js$/,
  /^GET \/demo(\/.*)?$/, /^GET \/openapi\.json$/, /^GET \/docs(\/.*)?$/
]

interface ServedRoute { name: string, access: RouteAccess | undefined }

const folder = accessFolder()
const closers = new Closers()
const routes: ServedRoute[] = []
let clickHouse: TestClickHouse
let server: FastifyInstance
let secrets: Record<'acme' | 'globex' | 'nobody' | 'ingestOnly', string>
let offset = 0

beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  const made = fileWithKeys([
    { organisation: 'acme' }, { organisation: 'globex' }, { organisation: 'nobody' },
    { organisation: 'acme', scopes: ['ingest'] }
  ])
  const [acme, globex, nobody, ingestOnly] = made.secrets as [string, string, string, string]
  secrets = { acme, globex, nobody, ingestOnly }
  folder.write(made.file)
  const { config } = clickHouse
  const env = loadSettings(serveRole.settings, {
    DATA_DIR: folder.directory,
    CLICKHOUSE_URL: config.url,
    CLICKHOUSE_DATABASE: config.database,
    CLICKHOUSE_USER: config.user,
    CLICKHOUSE_PASSWORD: config.password,
    CLICKHOUSE_READ_USER: config.readUser,
    CLICKHOUSE_READ_PASSWORD: config.readPassword,
    QUERY_TIMEOUT_MS: '60000'
  })
  const log = pino({ level: 'silent' })
  const registry = new Registry()
  const part = await openServePart(env, { log, registry, closers })
  server = createServer({ log })
  const paths = collectPaths(server)
  server.addHook('onRoute', ({ method, url, config: routeConfig }) => {
    for (const each of [method].flat()) {
      if (each !== 'HEAD') routes.push({ name: `${each} ${url}`, access: routeConfig?.access })
    }
  })
  registerHealth(server, part)
  registerMetrics(server, registry)
  await part.routes(server)
  await server.after()
  const own = [...routes]
  finishRoutes(server, paths)
  routes.splice(0, routes.length, ...own)
})

afterAll(async () => {
  await server?.close()
  await closers.closeAll()
  await clickHouse?.close()
  folder.remove()
})

async function store<E extends object, R> (tenant: string, stream: Stream<E, R>, events: E[]): Promise<void> {
  const rows = events.map((event) => {
    const record = stream.toRecord(event, { tenant, eventId: `e${offset}`, eventIdOrigin: 'SERVER' })
    return stream.toRow(record, { partition: 0, offset: offset++, receivedAtMs: Date.now() })
  })
  await insertBatch({ client: clickHouse.writeClient, table: stream.tables.raw, rows, token: `t${offset}` })
}

/** A dead letter whose bytes are a tag of the tenant. */
async function storeLetter (tenant: string, tag: UserTag): Promise<void> {
  const record = userTags.toRecord(tag, { tenant, eventId: 'e', eventIdOrigin: 'SERVER' })
  const value = (await createEncoder(userTags)).encode(record)
  const letter = { topic: 'user_tags', partition: 0, offset: offset++ }
  const rows = [{
    id: `user_tags-0-${letter.offset}`,
    stream: 'user_tags',
    ...letter,
    key_base64: userTags.recordKey(tag, tenant).toString('base64'),
    value_base64: value.toString('base64'),
    reason: 'refused_by_storage',
    detail: '',
    received_at: toDateTime(Date.now())
  }]
  await insertBatch({ client: clickHouse.writeClient, table: 'dead_letters', rows, token: `t${offset}` })
}

/** The same subjects, times and values for every tenant, `times` times. */
async function storeAll (tenant: string, times: number): Promise<void> {
  const repeated = <E>(...events: E[]): E[] => Array.from({ length: times }, () => events).flat()
  const tag = {
    time: EVENT_TIME,
    cookie: SUBJECT,
    country: 'PL',
    device: 'PC' as const,
    action: 'VIEW' as const,
    origin: 'origin',
    product_info: { product_id: 1, brand_id: 'brand', category_id: 'category', price: 10 }
  }
  await store(tenant, userTags, repeated(tag))
  await storeLetter(tenant, tag)
  await store(tenant, pageViews, repeated({ timestamp: EVENT_TIME, user_id: SUBJECT, name: 'page' }))
  await store(tenant, analytics, repeated({ timestamp: EVENT_TIME, user: SUBJECT, event: 'click' as const }))
  await store(tenant, visits, repeated({ visitedAt: EVENT_TIME, identifier: SUBJECT, pageUrl: 'https://p.example/' }))
  const interaction = { timestamp: EVENT_TIME, app: APP, device_id: SUBJECT, elapsed_time: 2 } as const
  const steps: Interaction[] = [
    { ...interaction, type: 'session_start', device: 'PC', browser: 'Firefox', os: 'Linux' },
    { ...interaction, type: 'url_change', from_url: '/a', to_url: '/b' },
    { ...interaction, type: 'click', target: '/button', current_url: '/a' },
    { ...interaction, type: 'btn_time', target: '/button', action: 'hover_then_clicked' },
    { ...interaction, type: 'funnel_change', action: 'onClick', entered: 'one' },
    { ...interaction, type: 'funnel_change', action: 'onClick', entered: 'two', from_stage: 'one' }
  ]
  await store(tenant, interactions, repeated(...steps))
}

/** Asks as a tenant; fails where the answer is none. */
function asker (tenant: keyof typeof secrets): Ask {
  return async (options: InjectOptions) => {
    const answer = await server.inject({ ...options, headers: { 'x-api-key': secrets[tenant] } })
    expect(answer.statusCode, `${options.method} ${String(options.url)}: ${answer.body}`).toBe(200)
    const isJson = /json/.test(String(answer.headers['content-type']))
    return isJson ? answer.json() : answer.body
  }
}

const reading = () => routes.filter(({ access }) => access !== undefined && access.scope !== 'ingest')
const requestOf = (name: string): InjectOptions => {
  const [method, url = '/'] = name.split(' ')
  return { method: method as 'GET', url: url.replaceAll(/:\w+/g, 'x').replace('*', 'x') }
}

describe('every route', () => {
  test('asks for a key, or is known to be open', () => {
    const unknown = routes.filter(({ name, access }) => {
      return access === undefined && !OPEN_ROUTES.some((open) => open.test(name))
    })
    expect(unknown).toEqual([])
    expect(reading().length).toBeGreaterThan(2)
  })

  test('that asks for a key answers 401 without one, before anything else', async () => {
    for (const { name, access } of routes) {
      if (access === undefined) continue
      expect((await server.inject(requestOf(name))).statusCode, name).toBe(401)
    }
  })

  test('that reads answers 403 to a key that may only write', async () => {
    const headers = { 'x-api-key': secrets.ingestOnly }
    for (const { name } of reading()) {
      expect((await server.inject({ ...requestOf(name), headers })).statusCode, name).toBe(403)
    }
  })

  test('that reads has an example below', () => {
    const without = reading().map(({ name }) => name).filter((name) => !(name in READ_EXAMPLES))
    expect(without.filter((name) => !ERASURE_ROUTES.includes(name))).toEqual([])
  })
})

test('no answer changes by what another organisation stores, and nobody sees what somebody stored', async () => {
  const examples = reading().flatMap(({ name }) => {
    return (READ_EXAMPLES[name] ?? []).map((example, index) => ({ name: `${name} (${index})`, ...example }))
  })
  const readAll = async (tenant: keyof typeof secrets) => {
    const answers = new Map<string, unknown>()
    for (const { name, read } of examples) answers.set(name, await read(asker(tenant)))
    return answers
  }
  const empty = await readAll('nobody')
  await storeAll('acme', 1)
  const acme = await readAll('acme')
  await storeAll('globex', 3)
  const globex = await readAll('globex')
  expect(await readAll('acme')).toEqual(acme)
  expect(await readAll('nobody')).toEqual(empty)
  for (const { name, shared } of examples) {
    if (shared === true) expect(globex.get(name), name).toEqual(empty.get(name))
    else {
      // Else the example would prove nothing: it has to see its own organisation's data.
      expect(acme.get(name), name).not.toEqual(empty.get(name))
      expect(globex.get(name), name).not.toEqual(empty.get(name))
    }
  }
})
