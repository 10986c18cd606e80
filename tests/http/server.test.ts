import { Writable } from 'node:stream'
import pino from 'pino'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ERROR_CODES, MillraceError } from '../../contract/index.ts'
import { collectPaths, createServer, finishRoutes, registerHealth, registerMetrics } from '../../http/index.ts'
import type { ErrorCode } from '../../contract/index.ts'
import type { HealthCheck } from '../../http/index.ts'

function buildServer () {
  const lines: string[] = []
  const sink = new Writable({
    write: (chunk, _encoding, done) => { lines.push(String(chunk)); done() }
  })
  const server = createServer({ log: pino({ level: 'info' }, sink) })
  return { server, paths: collectPaths(server), lines }
}

const SCHEMA = {
  type: 'object',
  properties: { n: { type: 'integer', minimum: 0 }, at: { type: 'string', format: 'event-time' } },
  required: ['n'],
  additionalProperties: false
}

describe('problem details', () => {
  test.each(Object.entries(ERROR_CODES))('%s is answered as the table of errors says', async (code, entry) => {
    const { server } = buildServer()
    server.get('/', async () => { throw new MillraceError(code as ErrorCode, 'the detail') })
    const response = await server.inject('/')
    expect(response.statusCode).toBe(entry.status)
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(response.headers['retry-after']).toBe(entry.retryable ? '1' : undefined)
    expect(response.json()).toEqual({
      type: `urn:millrace:error:${code}`,
      title: entry.title,
      status: entry.status,
      detail: entry.status >= 500 ? entry.title : 'the detail',
      code,
      ...(entry.status >= 500 ? { request_id: response.headers['x-request-id'] } : {})
    })
    expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('an unexpected error says nothing of itself to the client, and all of it to the log', async () => {
    const { server, lines } = buildServer()
    server.get('/', async () => { throw new Error('password=hunter2') })
    const response = await server.inject('/')
    expect(response.statusCode).toBe(500)
    expect(response.json().code).toBe('internal')
    expect(response.body).not.toContain('hunter2')
    const line = JSON.parse(lines[0] ?? '{}')
    expect(lines.join('')).toContain('hunter2')
    expect(line).toMatchObject({ code: 'internal', reqId: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  })

  test('the log knows a failed request by the id of its answer, which a sane client has chosen', async () => {
    const { server, lines } = buildServer()
    server.get('/', async () => { throw new Error('no') })
    const idOf = async (id: string) => (await server.inject({ url: '/', headers: { 'x-request-id': id } })).headers['x-request-id']
    expect(await idOf('trace:1.a_b-c')).toBe('trace:1.a_b-c')
    for (const odd of ['', 'two words', '{"a":1}', 'x'.repeat(129)]) expect(await idOf(odd)).toMatch(/^[0-9a-f-]{36}$/)
    expect(JSON.parse(lines[0] ?? '{}').reqId).toBe('trace:1.a_b-c')
  })

  test('a body of the wrong type or size is told what is right', async () => {
    const { server } = buildServer()
    server.post('/', { bodyLimit: 10 }, async () => ({}))
    const detailOf = async (type: string, payload: string) => {
      return (await server.inject({ method: 'POST', url: '/', headers: { 'content-type': type }, payload })).json().detail
    }
    expect(await detailOf('text/plain', 'x')).toContain('content-type: application/json')
    expect(await detailOf('application/json', '"01234567890"')).toBe('The body has more than 10 bytes')
  })

  test('a route that there is not is answered with where to look', async () => {
    const { server } = buildServer()
    const detailOf = async (url: string) => (await server.inject(url)).json().detail
    expect(await detailOf('/nope')).toBe('No route GET /nope: GET /docs lists the routes')
    expect(await detailOf('/events/nope')).toBe('No route GET /events/nope: GET /streams lists the streams')
  })

  test('an error that carries a known code keeps it', async () => {
    const { server } = buildServer()
    server.get('/', async () => { throw Object.assign(new Error('no'), { code: 'log_unavailable' }) })
    expect((await server.inject('/')).statusCode).toBe(503)
  })

  test('every fault of a body is named with its place', async () => {
    const { server } = buildServer()
    server.post('/', { schema: { body: SCHEMA } }, async () => ({}))
    const response = await server.inject({ method: 'POST', url: '/', payload: { n: -1, at: 'x', more: 1 } })
    const faults = response.json().errors.map(({ path, code }: { path: string, code: string }) => `${path} ${code}`)
    expect(faults.sort()).toEqual(['/at invalid_time', '/more unknown_field', '/n out_of_range'])
  })

  test('nothing is coerced, dropped or defaulted', async () => {
    const { server } = buildServer()
    server.post('/', { schema: { body: SCHEMA } }, async (request) => request.body)
    const codeOf = async (payload: object) => (await server.inject({ method: 'POST', url: '/', payload })).json().code
    expect(await codeOf({ n: '1' })).toBe('wrong_type')
    expect(await codeOf({ n: 1, x: 1 })).toBe('unknown_field')
  })

  test('details are short however long the client made them', async () => {
    const { server } = buildServer()
    const response = await server.inject(`/${'x'.repeat(5_000)}`)
    expect(response.json().code).toBe('route_not_found')
    expect(response.json().detail.length).toBeLessThanOrEqual(256)
  })

  test('a path that is no path is an invalid request, a parameter too long has its own code', async () => {
    const { server } = buildServer()
    server.get('/users/:id', async () => ({}))
    const codeOf = async (url: string) => (await server.inject(url)).json()
    expect(await codeOf('/users/%zz')).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(await codeOf(`/users/${'x'.repeat(12_289)}`)).toMatchObject({ status: 414, code: 'uri_too_long' })
    expect(await codeOf(`/users/${'%F0%9F%98%80'.repeat(1024)}`)).toEqual({})
  })
})

describe('methods', () => {
  test('a method that a known path lacks is answered 405 with those it has', async () => {
    const { server, paths } = buildServer()
    server.get('/things/:id', async () => ({}))
    server.post('/things/:id', async () => ({}))
    finishRoutes(server, paths)
    const response = await server.inject({ method: 'DELETE', url: '/things/1' })
    expect(response.statusCode).toBe(405)
    expect(response.headers.allow).toBe('GET, HEAD, POST')
    expect(response.json().code).toBe('method_not_allowed')
    expect((await server.inject({ method: 'DELETE', url: '/thing' })).statusCode).toBe(404)
  })

  test.each(['TRACE', 'QUERY'])('%s is a method like the others', async (method) => {
    const { server, paths } = buildServer()
    server.get('/things/:id', async () => ({}))
    finishRoutes(server, paths)
    const statusOf = async (url: string) => (await server.inject({ method: method as 'GET', url })).statusCode
    expect(await statusOf('/things/1')).toBe(405)
    expect(await statusOf('/thing')).toBe(method === 'QUERY' ? 415 : 404)
  })
})

describe('health', () => {
  afterEach(() => { vi.useRealTimers() })

  const good: HealthCheck = { name: 'good', check: async () => undefined }
  const failing: HealthCheck = { name: 'failing', check: async () => { throw new Error('the reason') } }
  const throwing: HealthCheck = { name: 'throwing', check: () => { throw new Error('at once') } }
  const hanging: HealthCheck = { name: 'hanging', check: () => new Promise(() => undefined) }

  test('live answers whatever the checks say', async () => {
    const { server } = buildServer()
    registerHealth(server, { ready: [failing], dependencies: [failing] })
    expect((await server.inject('/health/live')).json()).toEqual({ status: 'ok' })
  })

  test('ready and dependencies answer for their own checks', async () => {
    const { server } = buildServer()
    registerHealth(server, { ready: [good], dependencies: [good, failing, throwing] })
    expect((await server.inject('/health/ready')).json()).toEqual({
      status: 'ok', checks: [{ name: 'good', ok: true }]
    })
    const response = await server.inject('/health/dependencies')
    expect(response.statusCode).toBe(503)
    expect(response.json()).toEqual({
      status: 'unavailable',
      checks: [
        { name: 'good', ok: true },
        { name: 'failing', ok: false, reason: 'the reason' },
        { name: 'throwing', ok: false, reason: 'at once' }
      ]
    })
  })

  test('a check that hangs counts as failed after two seconds', async () => {
    const { server } = buildServer()
    registerHealth(server, { ready: [hanging], dependencies: [] })
    await server.ready()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const response = server.inject('/health/ready').then((answer) => answer.statusCode)
    await vi.waitUntil(() => vi.getTimerCount() > 0, { timeout: 60_000 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await response).toBe(503)
  })
})

describe('metrics', () => {
  test('label requests by the pattern of the route, never by what a client sent', async () => {
    const { server } = buildServer()
    registerMetrics(server, new Registry())
    server.get('/users/:id', async () => ({}))
    await server.inject('/users/secret-1')
    await server.inject('/users/secret-2')
    await server.inject('/unknown-secret')
    const text = (await server.inject('/metrics')).body
    expect(text).toContain('http_request_duration_seconds_count{method="GET",route="/users/:id",status_code="200"} 2')
    expect(text).toContain('route="none",status_code="404"} 1')
    expect(text).not.toContain('secret')
    expect(text).toContain('process_cpu_seconds_total')
  })
})
