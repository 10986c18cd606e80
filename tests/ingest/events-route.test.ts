import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pageViews, streams, userTags, visits } from '../../contract/index.ts'
import { TAG, buildIngest, metricValue } from '../support/ingest-server.ts'
import { failOn } from '../support/memory-log.ts'
import type { InjectOptions } from 'fastify'

const VIEW = { user_id: 'u1', name: '/home', timestamp: '2026-01-02T03:04:05.678Z' }
const NDJSON = 'application/x-ndjson'

function post (payload: unknown, stream = 'page_views', headers: Record<string, string> = {}): InjectOptions {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return {
    method: 'POST', url: `/events/${stream}`, payload: body, headers: { 'content-type': 'application/json', ...headers }
  }
}

describe('a batch', () => {
  test('is answered with what became of each of its events, and the accepted ones stand in the log in order', async () => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post([
      VIEW, { ...VIEW, name: '' }, { ...VIEW, user_id: 'u2' }, 5, { ...VIEW, timestamp: 'x' }, { ...VIEW, more: 1 }
    ]))
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toMatch(/^application\/json/)
    const message = expect.any(String)
    expect(response.json()).toEqual({
      accepted: 2,
      rejected: [
        { index: 1, code: 'invalid_text', message },
        { index: 3, code: 'wrong_type', message },
        { index: 4, code: 'invalid_time', message },
        { index: 5, code: 'unknown_field', message }
      ]
    })
    expect((await ingest.storedIn(pageViews)).map((record) => record.user_id)).toEqual(['u1', 'u2'])
    expect(await metricValue(ingest.registry, 'millrace_events_accepted_total{stream="page_views"}')).toBe(2)
    const sample = 'millrace_events_rejected_total{stream="page_views",code="unknown_field"}'
    expect(await metricValue(ingest.registry, sample)).toBe(1)
  })

  test('is taken by every stream at its own route', async () => {
    const ingest = await buildIngest()
    for (const stream of streams) {
      const response = await ingest.server.inject(post([{}], stream.name))
      expect([stream.name, response.json().code]).toEqual([stream.name, 'missing_field'])
    }
    const visit = { identifier: 'x', pageUrl: '/', visitedAt: VIEW.timestamp }
    expect((await ingest.server.inject(post([TAG, TAG], 'user_tags'))).json()).toEqual({ accepted: 2, rejected: [] })
    expect((await ingest.server.inject(post(visit, 'visits'))).json()).toEqual({ accepted: 1, rejected: [] })
    expect(await ingest.storedIn(userTags)).toMatchObject([{ event_id: 'id-1' }, { event_id: 'id-2' }])
    expect(await ingest.storedIn(visits)).toMatchObject([{ pageUrl: '/' }])
  })

  test('of nothing is nothing', async () => {
    const ingest = await buildIngest()
    for (const request of [post([]), post('\n\n', 'page_views', { 'content-type': NDJSON })]) {
      const response = await ingest.server.inject(request)
      expect([response.statusCode, response.json()]).toEqual([200, { accepted: 0, rejected: [] }])
    }
    expect(ingest.log.begun()).toBe(0)
  })

  test('goes into one append', async () => {
    const { server, log } = await buildIngest()
    const views = Array.from({ length: 1000 }, (_, n) => ({ ...VIEW, user_id: `u${n}` }))
    expect((await server.inject(post(views))).json()).toEqual({ accepted: 1000, rejected: [] })
    expect(log.batches.map((batch) => batch.records.length)).toEqual([1000])
  })

  test('in lines of JSON is the same batch, and a broken line costs no other', async () => {
    const ingest = await buildIngest()
    const lines = [JSON.stringify(VIEW), '', '{"user_id":', '  ', JSON.stringify({ ...VIEW, user_id: 'u2' })]
    const response = await ingest.server.inject(post(lines.join('\r\n'), 'page_views', { 'content-type': NDJSON }))
    expect([response.statusCode, response.json()]).toEqual([200, {
      accepted: 2, rejected: [{ index: 1, code: 'malformed_json', message: expect.any(String) }]
    }])
    expect((await ingest.storedIn(pageViews)).map((record) => record.user_id)).toEqual(['u1', 'u2'])
  })

  test('belongs to the tenant of its request', async () => {
    const ingest = await buildIngest({}, {}, { tenant: 'acme', scopes: ['ingest'] })
    await ingest.server.inject(post([VIEW]))
    expect(await ingest.storedIn(pageViews)).toMatchObject([{ tenant: 'acme' }])
    expect(ingest.log.records().map((record) => record.key.toString())).toEqual(['4:acmeu1'])
  })
})

test('exactly the valid events of any batch are appended, in order, and exactly the others are named', async () => {
  const ingest = await buildIngest()
  const userId = fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom('a', '_', ':', '😀') })
  const broken = fc.constantFrom({ ...VIEW, user_id: '' }, { ...VIEW, x: 1 }, { ...VIEW, name: 5 })
  const item = fc.oneof(
    fc.record({ valid: fc.constant(true), event: userId.map((id) => ({ ...VIEW, user_id: id })) }),
    fc.record({ valid: fc.constant(false), event: fc.oneof(fc.jsonValue(), broken) })
  )
  const batches = fc.array(item, { maxLength: 30 })
  await fc.assert(fc.asyncProperty(batches, fc.boolean(), async (items, inLines) => {
    const before = (await ingest.storedIn(pageViews)).length
    const events = items.map(({ event }) => event)
    const response = await ingest.server.inject(inLines && events.length > 0
      ? post(events.map((event) => JSON.stringify(event)).join('\n'), 'page_views', { 'content-type': NDJSON })
      : post(events))
    const invalid = items.flatMap(({ valid }, index) => valid ? [] : [index])
    const valid = items.filter(({ valid }) => valid).map(({ event }) => (event as typeof VIEW).user_id)
    const body = response.json()
    expect(response.statusCode).toBe(items.length > 0 && valid.length === 0 ? 400 : 200)
    expect(body.rejected.map(({ index }: { index: number }) => index)).toEqual(invalid)
    const stored = (await ingest.storedIn(pageViews)).slice(before)
    expect(stored.map((record) => record.user_id)).toEqual(valid)
  }), { numRuns: 100 })
}, 600_000)

describe('a batch without an acceptable event', () => {
  test('is a problem with the code of the first one, that lists them all', async () => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post([{ ...VIEW, name: '' }, null]))
    expect(response.statusCode).toBe(400)
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
    const message = expect.any(String)
    expect(response.json()).toMatchObject({
      type: 'urn:millrace:error:invalid_text',
      status: 400,
      code: 'invalid_text',
      errors: [{ path: '/0/name', code: 'invalid_text', message }, { path: '/1', code: 'wrong_type', message }],
      rejected: [{ index: 0, code: 'invalid_text', message }, { index: 1, code: 'wrong_type', message }]
    })
    expect(ingest.log.begun()).toBe(0)
  })

  test('lists every one of 1,000', async () => {
    const { server } = await buildIngest()
    const body = (await server.inject(post(Array(1000).fill({})))).json()
    expect(body.rejected).toHaveLength(1000)
    expect(body.errors).toHaveLength(20)
  })
})

const TEXT = JSON.stringify(VIEW)

describe('a batch as a whole', () => {
  test.each<[string, InjectOptions, number, string]>([
    ['1,001 events', post(Array(1001).fill(1)), 413, 'too_many_events'],
    ['1,001 lines', post('1\n'.repeat(1001), 'page_views', { 'content-type': NDJSON }), 413, 'too_many_events'],
    ['a body over 1 MiB', post(`[${TEXT}]${' '.repeat(1024 * 1024)}`), 413, 'body_too_large'],
    ['an empty body', post(''), 400, 'empty_body'],
    ['no body', { method: 'POST', url: '/events/page_views' }, 400, 'empty_body'],
    ['empty lines of JSON', post('', 'page_views', { 'content-type': NDJSON }), 400, 'empty_body'],
    ['malformed JSON', post('[{}'), 400, 'malformed_json'],
    ['text', post(TEXT, 'page_views', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
    ['an unknown stream', post(TEXT, 'nothing'), 404, 'route_not_found'],
    ['no stream', post(TEXT, ''), 404, 'route_not_found'],
    ['an Idempotency-Key', post([VIEW, VIEW], 'page_views', { 'idempotency-key': 'k' }), 400, 'invalid_parameter']
  ])('is refused for %s', async (_name, request, status, code) => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(request)
    expect([response.statusCode, response.json().code]).toEqual([status, code])
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(ingest.log.begun()).toBe(0)
  })

  test('is refused where it is not UTF-8: no character is replaced', async () => {
    const { server } = await buildIngest()
    const payload = Buffer.from(JSON.stringify([{ ...VIEW, name: 'caf\u00e9' }]), 'latin1')
    const response = await server.inject({ ...post(''), payload })
    expect([response.statusCode, response.json().code]).toEqual([400, 'malformed_json'])
  })

  test('may be 1 MiB', async () => {
    const { server } = await buildIngest()
    const text = `[${TEXT}]`
    expect((await server.inject(post(text + ' '.repeat(1024 * 1024 - text.length)))).statusCode).toBe(200)
  })

  test('is refused with another method', async () => {
    const { server } = await buildIngest()
    const response = await server.inject({ method: 'GET', url: '/events/page_views' })
    expect([response.statusCode, response.headers.allow]).toEqual([405, 'POST'])
  })
})

describe('keys that would poison a prototype', () => {
  const keys = ['__proto__', 'constructor', 'prototype', 'toString']
  test.each(keys)('%s is an unknown field of its event alone', async (key) => {
    const ingest = await buildIngest()
    const poisoned = TEXT.replace('{', `{"${key}":{"prototype":{"polluted":1},"polluted":1},`)
    const response = await ingest.server.inject(post(`[${poisoned},${TEXT}]`))
    expect(response.json()).toMatchObject({ accepted: 1, rejected: [{ index: 0, code: 'unknown_field' }] })
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('the identity of an event in a batch', () => {
  test('is its event_id, else the server\'s', async () => {
    const ingest = await buildIngest()
    await ingest.server.inject(post([{ ...VIEW, event_id: 'mine' }, VIEW]))
    expect(await ingest.storedIn(pageViews)).toMatchObject([
      { event_id: 'mine', event_id_origin: 'BODY' }, { event_id: 'id-1', event_id_origin: 'SERVER' }
    ])
  })

  test('may be the Idempotency-Key of an event that stands alone', async () => {
    const ingest = await buildIngest()
    await ingest.server.inject(post(VIEW, 'page_views', { 'idempotency-key': 'k' }))
    expect(await ingest.storedIn(pageViews)).toMatchObject([{ event_id: 'k', event_id_origin: 'HEADER' }])
  })
})

describe('when the log cannot take a batch', () => {
  test('the answer is 503, also where a part of it was stored', async () => {
    const { server, log } = await buildIngest({ batchRecordsMax: 2 }, { failure: failOn(2) })
    const response = await server.inject(post([VIEW, VIEW, VIEW, VIEW, {}]))
    expect([response.statusCode, response.json().code]).toEqual([503, 'log_unavailable'])
    expect(response.headers['retry-after']).toBe('1')
    expect(log.begun()).toBe(2)
  })

  test('a queue without room for all of it takes none of it', async () => {
    const { server, log } = await buildIngest({ queueRecordsMax: 3, batchRecordsMax: 2 })
    const response = await server.inject(post([VIEW, VIEW, VIEW, VIEW]))
    expect([response.statusCode, response.json().code]).toEqual([503, 'overloaded'])
    expect(log.begun()).toBe(0)
    expect((await server.inject(post([VIEW, VIEW, VIEW]))).statusCode).toBe(200)
    expect(log.batches.map((batch) => batch.records.length)).toEqual([2, 1])
  })

  test('it is not answered before all of it is durable', async () => {
    const { server, log } = await buildIngest({ budgetMs: 60_000, batchRecordsMax: 2 })
    log.hold(true)
    let answered = false
    const response = server.inject(post([VIEW, VIEW, VIEW]))
    response.finally(() => { answered = true })
    await expect.poll(() => log.begun()).toBe(1)
    expect(answered).toBe(false)
    log.hold(false)
    expect((await response).json()).toEqual({ accepted: 3, rejected: [] })
    expect(log.records()).toHaveLength(3)
  })
})
