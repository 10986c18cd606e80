import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { EMPTY_ACCESS_FILE, withRevokedKey } from '../../access/index.ts'
import { NOW_MS, PATIENT, accessFolder, fileWithKeys, startGuarded } from './access-server.ts'
import type { SharedCounter } from '../../access/index.ts'
import type { FastifyReply } from 'fastify'
import type { GuardedOptions } from './access-server.ts'

let folder: ReturnType<typeof accessFolder>
const closers: Array<() => Promise<void>> = []
beforeEach(() => { folder = accessFolder() })
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
  folder.remove()
})

async function start (options: GuardedOptions = {}) {
  const guarded = await startGuarded(folder.file, options)
  closers.push(guarded.close)
  return guarded
}

describe('a system without keys', () => {
  test('runs open as the tenant default', async () => {
    const { get } = await start()
    expect((await get('/out')).json()).toEqual({ tenant: 'default' })
  })

  test('asks for a key where a route always needs one', async () => {
    const { get } = await start()
    const answer = await get('/secret')
    expect([answer.statusCode, answer.json().code]).toEqual([401, 'unauthorized'])
  })

  test('refuses a key that it does not know, rather than to take it for nobody', async () => {
    const { get } = await start()
    expect((await get('/out', { 'x-api-key': 'mr_x' })).statusCode).toBe(401)
  })

  test('asks for a key with AUTH=required', async () => {
    const { get } = await start({ config: { alwaysRequired: true } })
    expect((await get('/out')).statusCode).toBe(401)
  })

  test('asks for a key as soon as there is one, without a restart', async () => {
    const { get } = await start()
    const { file, secrets } = fileWithKeys([{ organisation: 'acme' }])
    folder.write(file)
    await vi.waitFor(async () => expect((await get('/out')).statusCode).toBe(401), PATIENT)
    expect((await get('/out', { 'x-api-key': secrets[0] })).json()).toEqual({ tenant: 'acme' })
  })

  test('stays closed when the file loses its keys again', async () => {
    folder.write(fileWithKeys([{ organisation: 'acme' }]).file)
    const { get, gate } = await start()
    expect(gate.required).toBe(true)
    folder.write(EMPTY_ACCESS_FILE)
    await vi.waitFor(() => expect(gate.directory.keys).toEqual([]), PATIENT)
    expect((await get('/out')).statusCode).toBe(401)
  })
})

describe('a key', () => {
  test('is taken from x-api-key or as a bearer token, and names its tenant', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme' }, { organisation: 'globex' }])
    folder.write(file)
    const { get } = await start()
    expect((await get('/out', { 'x-api-key': secrets[0] })).json()).toEqual({ tenant: 'acme' })
    expect((await get('/out', { authorization: `Bearer ${secrets[1]}` })).json()).toEqual({ tenant: 'globex' })
  })

  test.each([
    ['none', {}], ['unknown', { 'x-api-key': 'mr_unknown' }], ['endless', { 'x-api-key': 'x'.repeat(8_000) }],
    ['empty', { 'x-api-key': '' }], ['of another scheme', { authorization: 'Basic bXI6eA==' }]
  ])('that is %s is answered 401 with how to authenticate', async (_what, headers) => {
    folder.write(fileWithKeys([{ organisation: 'acme' }]).file)
    const { get, registry } = await start()
    const answer = await get('/out', headers)
    expect([answer.statusCode, answer.json().code]).toEqual([401, 'unauthorized'])
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="millrace"')
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(await registry.metrics()).toContain('millrace_access_refused_total{code="unauthorized"} 1')
  })

  test('is not known by its hash', async () => {
    const { file } = fileWithKeys([{ organisation: 'acme' }])
    folder.write(file)
    const { get } = await start()
    expect((await get('/out', { 'x-api-key': file.keys[0]?.sha256 ?? '' })).statusCode).toBe(401)
  })

  test('works until it expires, and not at that instant', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme', expiresAtMs: NOW_MS + 1 }])
    folder.write(file)
    let nowMs = NOW_MS
    const { get } = await start({ nowMs: () => nowMs })
    expect((await get('/out', { 'x-api-key': secrets[0] })).statusCode).toBe(200)
    nowMs += 1
    expect((await get('/out', { 'x-api-key': secrets[0] })).statusCode).toBe(401)
  })

  test('stops working when it is revoked, without a restart, and others go on', async () => {
    const { file, secrets, ids } = fileWithKeys([{ organisation: 'acme' }, { organisation: 'acme' }])
    folder.write(file)
    const { get } = await start()
    const status = async (secret = '') => (await get('/out', { 'x-api-key': secret })).statusCode
    expect(await status(secrets[0])).toBe(200)
    folder.write(withRevokedKey(file, ids[0] ?? '', NOW_MS))
    await vi.waitFor(async () => expect(await status(secrets[0])).toBe(401), PATIENT)
    expect(await status(secrets[1])).toBe(200)
  })

  test('is refused with 403 where it lacks the scope of a route', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme', scopes: ['ingest'] }])
    folder.write(file)
    const { server, get } = await start()
    const headers = { 'x-api-key': secrets[0] }
    expect((await server.inject({ method: 'POST', url: '/in', headers })).json()).toEqual({ tenant: 'acme' })
    const answer = await get('/out', headers)
    expect([answer.statusCode, answer.json().code]).toEqual([403, 'forbidden'])
  })

  test('is not needed where a route asks for none, nor for 404 and 405', async () => {
    folder.write(fileWithKeys([{ organisation: 'acme' }]).file)
    const { server, get } = await start()
    expect((await get('/open')).json()).toEqual({ open: true })
    expect((await get('/nowhere')).statusCode).toBe(404)
    expect((await server.inject({ method: 'DELETE', url: '/in' })).statusCode).toBe(405)
  })

  test('is listed with its last use to an admin of its own organisation, and to nobody else', async () => {
    const { file, secrets, ids } = fileWithKeys([
      { organisation: 'acme' }, { organisation: 'globex' }, { organisation: 'acme', scopes: ['query'] }
    ])
    folder.write(file)
    const { get, registry } = await start()
    const [acme, globex, reader] = secrets.map((secret) => ({ 'x-api-key': secret }))
    await get('/out', globex)
    const answer = await get('/keys', acme)
    expect(answer.json().keys.map(({ id }: { id: string }) => id)).toEqual([ids[0], ids[2]])
    expect(answer.json().keys[0].last_used_at).toBe(new Date(NOW_MS).toISOString())
    expect(answer.json().keys[1].last_used_at).toBeUndefined()
    for (const { sha256 } of file.keys) expect(answer.body).not.toContain(sha256)
    expect((await get('/keys', reader)).statusCode).toBe(403)
    expect(await registry.metrics())
      .toContain(`millrace_key_last_used_timestamp_seconds{key="${ids[1]}"} ${NOW_MS / 1000}`)
  })
})

describe('the rate limit', () => {
  // Its window is a second by this clock.
  beforeEach(() => { vi.useFakeTimers({ toFake: ['Date'] }) })
  afterEach(() => { vi.useRealTimers() })

  test('holds for each key alone, over all routes, and says when to come again', async () => {
    const { file, secrets } = fileWithKeys([
      { organisation: 'acme', rateLimitPerSecond: 2 }, { organisation: 'acme' }
    ])
    folder.write(file)
    const { get, registry } = await start()
    const [limited, other] = secrets.map((secret) => ({ 'x-api-key': secret }))
    const first = await get('/out', limited)
    expect(first.headers).toMatchObject({
      'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '1'
    })
    expect((await get('/secret', limited)).statusCode).toBe(200)
    const refused = await get('/out', limited)
    expect([refused.statusCode, refused.json().code]).toEqual([429, 'rate_limited'])
    expect(refused.headers).toMatchObject({
      'retry-after': '1', 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1'
    })
    expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect((await get('/out', other)).statusCode).toBe(200)
    expect((await get('/open', limited)).statusCode).toBe(200)
    expect(await registry.metrics()).toContain('millrace_access_refused_total{code="rate_limited"} 1')
    vi.setSystemTime(Date.now() + 1_000)
    expect((await get('/out', limited)).statusCode).toBe(200)
  })

  test('is off while the system runs open, unless it is set', async () => {
    const open = await start()
    expect((await open.get('/out')).headers['x-ratelimit-limit']).toBeUndefined()
    const limited = await start({ config: { rateLimitPerSecond: { withKey: 1, open: 1 } } })
    expect((await limited.get('/out')).statusCode).toBe(200)
    expect((await limited.get('/out')).statusCode).toBe(429)
  })

  test('is shared by processes that share a counter', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme', rateLimitPerSecond: 1 }])
    folder.write(file)
    const counter = memoryCounter()
    const [first, second] = [await start({ counter }), await start({ counter })]
    expect((await first.get('/out', { 'x-api-key': secrets[0] })).statusCode).toBe(200)
    expect((await second.get('/out', { 'x-api-key': secrets[0] })).statusCode).toBe(429)
  })

  test('lets requests pass where the shared counter does not answer', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme', rateLimitPerSecond: 1 }])
    folder.write(file)
    const { get } = await start({ counter: memoryCounter(new Error('no connection')) })
    for (let n = 0; n < 3; n++) expect((await get('/out', { 'x-api-key': secrets[0] })).statusCode).toBe(200)
  })
})

describe('CORS', () => {
  const SHOP = 'https://shop.example'
  const OTHER = 'https://other.example'
  const preflight = (origin: string, method = 'GET') => ({ origin, 'access-control-request-method': method })

  async function startWithOrigins () {
    const { file, secrets } = fileWithKeys(
      [{ organisation: 'acme' }, { organisation: 'globex' }], { acme: [SHOP], globex: [OTHER] }
    )
    folder.write(file)
    return { ...await start(), secrets }
  }

  test('a preflight from a listed origin is answered without a key', async () => {
    const { server } = await startWithOrigins()
    const answer = await server.inject({ method: 'OPTIONS', url: '/out?x=1', headers: preflight(SHOP) })
    expect(answer.statusCode).toBe(204)
    expect(answer.headers['access-control-allow-origin']).toBe(SHOP)
    expect(answer.headers['access-control-allow-methods']).toContain('GET')
    expect(answer.headers['access-control-allow-headers']).toContain('x-api-key')
  })

  test.each([
    ['an origin that nobody lists', '/out', preflight('https://evil.example')],
    ['a method that the route lacks', '/out', preflight(SHOP, 'DELETE')],
    ['no preflight', '/out', {}],
    ['a route that asks for no key', '/open', preflight(SHOP)]
  ])('OPTIONS for %s is answered 405 and allows nothing', async (_what, url, headers) => {
    const { server } = await startWithOrigins()
    const answer = await server.inject({ method: 'OPTIONS', url, headers })
    expect(answer.statusCode).toBe(405)
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('an answer is readable only to the origins of its own organisation', async () => {
    const { get, secrets: [acme] } = await startWithOrigins()
    const allowed = async (origin: string) => {
      return (await get('/out', { origin, 'x-api-key': acme })).headers['access-control-allow-origin']
    }
    expect(await allowed(SHOP)).toBe(SHOP)
    expect(await allowed(OTHER)).toBeUndefined()
    expect(await allowed('null')).toBeUndefined()
  })

  test('a refusal is readable too', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme', scopes: ['query'] }], { acme: [SHOP] })
    folder.write(file)
    const { get } = await start()
    const answer = await get('/keys', { origin: SHOP, 'x-api-key': secrets[0] })
    expect([answer.statusCode, answer.headers['access-control-allow-origin']]).toEqual([403, SHOP])
  })

  test('no cache gives one organisation the answer of another', async () => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme' }])
    folder.write(file)
    const { get, server } = await start({
      routes: async (routes) => {
        const handler = async (_request: unknown, reply: FastifyReply) => reply.header('vary', 'accept').send({})
        routes.route({ method: ['GET', 'POST'], url: '/own', config: { access: { scope: 'query' } }, handler })
      }
    })
    expect((await get('/own', { 'x-api-key': secrets[0] })).headers.vary)
      .toBe('accept, origin, x-api-key, authorization')
    // What a POST answers is varied by whoever asks, too, where it says that it varies.
    const posted = await server.inject({ method: 'POST', url: '/own', headers: { 'x-api-key': String(secrets[0]) } })
    expect(posted.headers.vary).toBe('accept, origin, x-api-key, authorization')
  })
})

test('every answer with a body carries the security headers, errors too', async () => {
  const { get } = await start({
    routes: async (server) => { server.get('/empty', async (_request, reply) => reply.code(204).send()) }
  })
  for (const url of ['/out', '/open', '/secret', '/nowhere']) {
    const { headers } = await get(url)
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
  }
  expect((await get('/empty')).headers).not.toHaveProperty('content-security-policy')
})

/** The twin of Redis as the rate limiter uses it: one counter for all, or a failure at each call. */
function memoryCounter (failure?: Error): SharedCounter {
  const counts = new Map<string, number>()
  const client = {
    rateLimit: (
      key: string, windowMs: number, _max: number, _more: boolean, _backoff: boolean,
      answer: (error: Error | null, result: [number, number]) => void
    ) => {
      counts.set(key, (counts.get(key) ?? 0) + 1)
      answer(failure ?? null, [counts.get(key) as number, windowMs])
    },
    rateLimitRead: () => undefined,
    defineCommand: () => undefined
  }
  return { client, close: async () => undefined }
}
