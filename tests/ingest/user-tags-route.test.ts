import { describe, expect, test, vi } from 'vitest'
import { userTags } from '../../contract/index.ts'
import { LogFullError, LogUnavailableError } from '../../eventlog/index.ts'
import { ARRIVAL_MS, TAG, buildIngest, metricValue } from '../support/ingest-server.ts'
import { failOn } from '../support/memory-log.ts'
import type { InjectOptions } from 'fastify'

type Ingest = Awaited<ReturnType<typeof buildIngest>>

function post (payload: unknown, headers: Record<string, string> = {}): InjectOptions {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return {
    method: 'POST', url: '/user_tags', payload: body, headers: { 'content-type': 'application/json', ...headers }
  }
}

function withField (path: string, value: unknown): unknown {
  const [first, second] = path.split('.') as [string, string | undefined]
  if (second === undefined) return { ...TAG, [first]: value }
  return { ...TAG, product_info: { ...TAG.product_info, [second]: value } }
}

function without (path: string): unknown {
  return JSON.parse(JSON.stringify(withField(path, undefined)))
}

async function codeOf (request: InjectOptions, ingest?: Ingest): Promise<[number, string | undefined]> {
  const { server } = ingest ?? await buildIngest()
  const response = await server.inject(request)
  if (response.statusCode < 300) return [response.statusCode, undefined]
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
  const problem = response.json()
  expect(problem.status).toBe(response.statusCode)
  const text = expect.any(String)
  expect(problem).toMatchObject({ type: text, title: text, detail: text })
  return [response.statusCode, problem.code]
}

describe('an accepted event', () => {
  test('is answered 204 with an empty body, and stands in the log as it was sent', async () => {
    const { server, log, stored } = await buildIngest()
    const response = await server.inject(post(TAG))
    expect(response.statusCode).toBe(204)
    expect(response.body).toBe('')
    expect(response.headers).not.toHaveProperty('content-type')
    const [record] = log.records()
    expect(record).toMatchObject({ key: userTags.recordKey(TAG, 'default'), timestampMs: ARRIVAL_MS })
    expect(await stored()).toEqual([{
      ...TAG, time: Date.parse(TAG.time), time_text: null, event_id: 'id-1', event_id_origin: 'SERVER', tenant: 'default'
    }])
  })

  test('is not answered before it is durable', async () => {
    const { server, log } = await buildIngest({ budgetMs: 60_000 })
    log.hold(true)
    let answered = false
    const response = server.inject(post(TAG)).then((answer) => { answered = true; return answer })
    await expect.poll(() => log.begun()).toBe(1)
    expect(answered).toBe(false)
    log.hold(false)
    expect((await response).statusCode).toBe(204)
  })

  test('may hold every edge of every field', async () => {
    const ingest = await buildIngest()
    const accepted: Array<[string, unknown]> = [
      ['product_info.product_id', 'a string'], ['product_info.product_id', Number.MAX_SAFE_INTEGER],
      ['product_info.product_id', Number.MIN_SAFE_INTEGER], ['product_info.product_id', '12486'],
      ['product_info.price', 2 ** 31 - 1], ['product_info.price', -(2 ** 31)], ['product_info.price', 0],
      ['cookie', 'x'], ['cookie', 'x'.repeat(1024)], ['cookie', '😀'.repeat(1024)], ['origin', '___'],
      ['origin', ': | % & /'], ['origin', 'null'], ['origin', 'None'], ['country', ' '], ['country', '\u0001'],
      ['event_id', 'x'], ['event_id', '😀'.repeat(128)],
      ['time', '2022-03-22T12:15:00Z'], ['time', '2022-03-22T12:15:00.1Z'],
      ['time', '2022-03-22T12:15:00.123456789Z'], ['time', '2022-03-22t12:15:00z'],
      ['time', '2022-03-22T12:15:00.000+05:30'], ['time', '2022-03-22T12:15:00-00:00'],
      ['time', '2024-02-29T00:00:00Z'], ['time', '2000-02-29T00:00:00Z'], ['time', '1970-01-01T00:00:00Z'],
      ['time', '2105-12-31T23:59:59.999Z'], ['device', 'MOBILE'], ['device', 'TV'], ['action', 'BUY']
    ]
    for (const [path, value] of accepted) {
      const answer = await codeOf(post(withField(path, value)), ingest)
      expect([path, value, answer]).toEqual([path, value, [204, undefined]])
    }
    expect(await ingest.stored()).toHaveLength(accepted.length)
  })

  test('keeps the JSON type of its product_id', async () => {
    const { server, stored } = await buildIngest()
    for (const id of [12486, '12486']) await server.inject(post(withField('product_info.product_id', id)))
    expect((await stored()).map((record) => record.product_info.product_id)).toEqual([12486, '12486'])
  })

  test('is appended once for each time it was sent: one id sent twice is two records', async () => {
    const { server, stored } = await buildIngest()
    for (let n = 0; n < 2; n += 1) await server.inject(post({ ...TAG, event_id: 'same' }))
    expect((await stored()).map((record) => record.event_id)).toEqual(['same', 'same'])
  })
})

describe('the identity of an event', () => {
  const cases: Array<[string, string | undefined, string | undefined, string, string]> = [
    ['nobody names it', undefined, undefined, 'id-1', 'SERVER'],
    ['the body', 'b', undefined, 'b', 'BODY'],
    ['the header', undefined, 'h', 'h', 'HEADER'],
    ['both, alike', 'same', 'same', 'same', 'BODY'],
    ['the header in UTF-8', undefined, Buffer.from('żółw').toString('latin1'), 'żółw', 'HEADER'],
    ['a header of 128 characters', undefined, 'x'.repeat(128), 'x'.repeat(128), 'HEADER']
  ]
  test.each(cases)('comes from whom it should: %s', async (_name, body, header, id, origin) => {
    const { server, stored } = await buildIngest()
    const event = body === undefined ? TAG : { ...TAG, event_id: body }
    const response = await server.inject(post(event, header === undefined ? {} : { 'idempotency-key': header }))
    expect(response.statusCode).toBe(204)
    expect(await stored()).toMatchObject([{ event_id: id, event_id_origin: origin }])
  })

  test.each([
    ['empty', {}, ''], ['too long', {}, 'x'.repeat(129)], ['not UTF-8', {}, 'caf\u00e9'],
    ['unlike the body', { event_id: 'b' }, 'h']
  ])('is refused from a header that is %s', async (_name, body, header) => {
    const ingest = await buildIngest()
    expect(await codeOf(post({ ...TAG, ...body }, { 'idempotency-key': header }), ingest))
      .toEqual([400, 'invalid_parameter'])
    expect(ingest.log.begun()).toBe(0)
  })
})

const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
const TEXT = JSON.stringify(TAG)

describe('a refused event', () => {
  const refused: Array<[string, unknown, number, string]> = [
    ['malformed JSON', '{"time":', 400, 'malformed_json'],
    ['text after the JSON', `${TEXT} x`, 400, 'malformed_json'],
    ['prototype poisoning', TEXT.replace('{', '{"__proto__":{"x":1},'), 400, 'malformed_json'],
    ['constructor poisoning', TEXT.replace('{', '{"constructor":{"prototype":{}},'), 400, 'malformed_json'],
    ['an array', [TAG], 400, 'wrong_type'],
    ['null', 'null', 400, 'wrong_type'],
    ['a string', '"x"', 400, 'wrong_type'],
    ['deep nesting', DEEP, 400, 'wrong_type'],
    ['deep nesting in a field', TEXT.replace('"CL"', DEEP), 400, 'wrong_type'],
    ['an unknown field', withField('colour', 'red'), 400, 'unknown_field'],
    ['an unknown nested field', withField('product_info.colour', 'red'), 400, 'unknown_field'],
    ['an envelope field', withField('tenant', 'other'), 400, 'unknown_field'],
    ['product_info that is text', withField('product_info', 'x'), 400, 'wrong_type'],
    ['a price that is text', withField('product_info.price', '5'), 400, 'wrong_type'],
    ['a price with a fraction', withField('product_info.price', 1.5), 400, 'wrong_type'],
    ['a price above int32', withField('product_info.price', 2 ** 31), 400, 'out_of_range'],
    ['a price below int32', withField('product_info.price', -(2 ** 31) - 1), 400, 'out_of_range'],
    ['a product_id beyond safe integers', withField('product_info.product_id', 2 ** 53), 400, 'out_of_range'],
    ['a product_id with a fraction', withField('product_info.product_id', 0.5), 400, 'wrong_type'],
    ['a product_id that is null', withField('product_info.product_id', null), 400, 'wrong_type'],
    ['an empty product_id', withField('product_info.product_id', ''), 400, 'invalid_text'],
    ['an unknown device', withField('device', 'pc'), 400, 'unknown_value'],
    ['an unknown action', withField('action', 'SELL'), 400, 'unknown_value'],
    ['an empty cookie', withField('cookie', ''), 400, 'invalid_text'],
    ['a cookie of 1,025 characters', withField('cookie', 'x'.repeat(1025)), 400, 'invalid_text'],
    ['a cookie of 1,025 astral characters', withField('cookie', '😀'.repeat(1025)), 400, 'invalid_text'],
    ['NUL in text', withField('origin', 'a\0b'), 400, 'invalid_text'],
    ['a lone surrogate', TEXT.replace('CAMPAIGN_321', '\\ud800'), 400, 'invalid_text'],
    ['an event_id of 129 characters', withField('event_id', 'x'.repeat(129)), 400, 'invalid_text'],
    ['an empty event_id', withField('event_id', ''), 400, 'invalid_text'],
    ...['2023-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2022-13-01T00:00:00Z', '2022-04-31T00:00:00Z',
      '2022-03-22T24:00:00Z', '2022-03-22T12:60:00Z', '2022-03-22T12:15:60Z', '2022-03-22T12:15:00',
      '2022-03-22 12:15:00Z', '2022-03-22T12:15:00.Z', '2022-03-22T12:15:00.1234567890Z', '1969-12-31T23:59:59Z',
      '2106-01-01T00:00:00Z', '2022-03-22T12:15:00+24:00', '2022-03-22T12:15:00+0530', 'yesterday', ''
    ].map((time): [string, unknown, number, string] => (
      [`the time '${time}'`, withField('time', time), 400, 'invalid_time']
    )),
    ['a time that is a number', withField('time', 1647951300), 400, 'wrong_type']
  ]
  test.each(refused)('%s has its own code and reaches no log', async (_name, payload, status, code) => {
    const ingest = await buildIngest()
    expect(await codeOf(post(payload), ingest)).toEqual([status, code])
    expect(ingest.log.begun()).toBe(0)
    const sample = `millrace_events_rejected_total{stream="user_tags",code="${code}"}`
    expect(await metricValue(ingest.registry, sample)).toBe(1)
  })

  test.each([...Object.keys(TAG), ...Object.keys(TAG.product_info).map((name) => `product_info.${name}`)])(
    'without %s is missing a field, and is told where', async (path) => {
      const { server } = await buildIngest()
      const problem = (await server.inject(post(without(path)))).json()
      expect(problem).toMatchObject({ status: 400, code: 'missing_field' })
      expect(problem.errors).toEqual([
        { path: `/${path.replace('.', '/')}`, code: 'missing_field', message: expect.any(String) }
      ])
    }
  )

  test('lists at most 20 of its faults', async () => {
    const { server } = await buildIngest()
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`field_${n}`, n]))
    expect((await server.inject(post({ ...TAG, ...fields }))).json().errors).toHaveLength(20)
  })
})

describe('a refused request', () => {
  const request = (options: InjectOptions): InjectOptions => ({ url: '/user_tags', ...options })
  const json = { 'content-type': 'application/json' }
  const cases: Array<[string, InjectOptions, number, string]> = [
    ['no body and no type', { method: 'POST' }, 400, 'empty_body'],
    ['an empty JSON body', { method: 'POST', headers: json }, 400, 'empty_body'],
    ['text', { method: 'POST', payload: TEXT, headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_media_type'],
    ['a form', {
      method: 'POST', payload: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' }
    }, 415, 'unsupported_media_type'],
    ['a body over 64 KiB', { method: 'POST', payload: `${TEXT}${' '.repeat(65_536)}`, headers: json }, 413, 'body_too_large'],
    ['an unknown route', { method: 'POST', url: '/user_tag', payload: TEXT, headers: json }, 404, 'route_not_found'],
    ...(['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const).map((method) => (
      [`the method ${method}`, { method }, 405, 'method_not_allowed'] as [string, InjectOptions, number, string]
    ))
  ]
  test.each(cases)('%s has its own code', async (_name, options, status, code) => {
    const { server } = await buildIngest()
    const response = await server.inject(request(options))
    expect(response.statusCode).toBe(status)
    if (options.method !== 'HEAD') expect(response.json().code).toBe(code)
    if (status === 405) expect(response.headers.allow).toBe('POST')
  })

  test('a body of exactly 64 KiB is taken', async () => {
    expect(await codeOf(post(TEXT + ' '.repeat(65_536 - TEXT.length)))).toEqual([204, undefined])
  })

  test('+json types and charsets are no obstacle', async () => {
    expect(await codeOf(post(TEXT, { 'content-type': 'application/json; charset=utf-8' }))).toEqual([204, undefined])
  })
})

describe('when the log cannot take it', () => {
  test('a failed append is answered 503 with Retry-After, and says nothing of what went wrong inside', async () => {
    const { server } = await buildIngest({}, { failure: failOn(1) })
    const response = await server.inject(post(TAG))
    expect(response.statusCode).toBe(503)
    expect(response.headers['retry-after']).toBe('1')
    expect(response.json()).toMatchObject({ code: 'log_unavailable' })
    expect(response.body).not.toContain('refused by the test')
    expect((await server.inject(post(TAG))).statusCode).toBe(204)
  })

  test('a full log is answered 503 with a code that says so', async () => {
    const full = new LogUnavailableError('The embedded log is full', { cause: new LogFullError('no room') })
    const { server } = await buildIngest({}, { failure: () => full })
    const response = await server.inject(post(TAG))
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1'])
    expect(response.json()).toMatchObject({ code: 'log_full', title: 'The event log is full' })
  })

  test('a log that does not confirm within the budget is answered 503', async () => {
    const { server, log } = await buildIngest({ budgetMs: 20 })
    log.hold(true)
    const response = await server.inject(post(TAG))
    expect([response.statusCode, response.json().code]).toEqual([503, 'log_unavailable'])
  })

  test('a full queue and a closed appender are answered 503', async () => {
    const ingest = await buildIngest({ queueRecordsMax: 1, budgetMs: 60_000 })
    ingest.log.hold(true)
    const answers = Array.from({ length: 4 }, () => codeOf(post(TAG), ingest))
    expect(await Promise.race(answers)).toEqual([503, 'overloaded'])
    ingest.log.hold(false)
    await Promise.all(answers)
    await ingest.appender.close()
    expect(await codeOf(post(TAG), ingest)).toEqual([503, 'shutting_down'])
  })
})

test('requests that arrive together share appends', async () => {
  const { server, log, appender } = await buildIngest({ budgetMs: 60_000 })
  const append = vi.spyOn(appender, 'append')
  log.hold(true)
  const answers = Array.from({ length: 50 }, () => server.inject(post(TAG)))
  await expect.poll(() => append.mock.calls.length).toBe(50)
  log.hold(false)
  expect((await Promise.all(answers)).map((answer) => answer.statusCode)).toEqual(Array(50).fill(204))
  expect(log.records()).toHaveLength(50)
  expect(log.batches.length).toBeLessThan(10)
})
