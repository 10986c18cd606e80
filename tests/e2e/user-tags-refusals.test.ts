/** What user_tags refuses, and with which answer; and what it takes that others would refuse. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { posting as postingTo } from '../support/keyed-system.ts'
import { EVENT_BYTES_MAX, expectProblem } from './refusals.ts'
import { range, tag } from './user-tag-events.ts'
import type { Refusal } from './refusals.ts'
import type { HttpRequest } from '../support/http-client.ts'
import type { Millrace } from '../support/millrace.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const RANGE = range('2022-03-22T12:15:00', '2022-03-22T12:16:00')
const AGGREGATES = `/aggregates?${RANGE}&action=VIEW&aggregates=COUNT`

function posting (body: unknown, headers: Record<string, string> = {}): HttpRequest {
  return postingTo('/user_tags', body, headers)
}

function asking (path: string, method = 'POST'): HttpRequest {
  return { method, path }
}

/** A valid event with one change; `undefined` leaves a field out. */
function changed (change: object, productChange: object = {}): HttpRequest {
  const event = tag({ cookie: 'refused' })
  return posting({ ...event, ...change, product_info: { ...event.product_info, ...productChange } })
}

/** Every field left out, of a wrong type, or beyond the limits of its text. */
function fieldRefusals (): Refusal[] {
  const outer = ['time', 'cookie', 'country', 'device', 'action', 'origin']
  const inner = ['product_id', 'brand_id', 'category_id', 'price']
  return [
    ...outer.flatMap((name): Refusal[] => [
      [`no ${name}`, changed({ [name]: undefined }), 400, 'missing_field'],
      [`${name}: null`, changed({ [name]: null }), 400, 'wrong_type'],
      [`${name}: 1`, changed({ [name]: 1 }), 400, 'wrong_type']
    ]),
    ...inner.flatMap((name): Refusal[] => [
      [`no ${name}`, changed({}, { [name]: undefined }), 400, 'missing_field'],
      [`${name}: null`, changed({}, { [name]: null }), 400, 'wrong_type'],
      [`${name}: true`, changed({}, { [name]: true }), 400, 'wrong_type']
    ]),
    ...['cookie', 'country', 'origin'].flatMap((name): Refusal[] => [
      [`empty ${name}`, changed({ [name]: '' }), 400, 'invalid_text'],
      [`${name} of 1025 characters`, changed({ [name]: 'x'.repeat(1025) }), 400, 'invalid_text'],
      [`NUL in ${name}`, changed({ [name]: 'a\0b' }), 400, 'invalid_text'],
      [`half a surrogate pair in ${name}`, changed({ [name]: 'a\ud800' }), 400, 'invalid_text']
    ])
  ]
}

function timeRefusals (): Refusal[] {
  const times = [
    'yesterday', '', '2022-03-22', '2022-03-22T12:15:00', '2022-03-22 12:15:00Z', '2022-02-29T00:00:00Z',
    '2022-03-22T24:00:00Z', '2022-03-22T12:60:00Z', '2022-03-22T12:15:60Z', '2022-03-22T12:15:00.Z',
    '2022-03-22T12:15:00.1234567890Z', '2022-3-22T12:15:00Z', '1647951300', '1969-12-31T23:59:59Z',
    '2106-01-01T00:00:00Z', '٢٠٢٢-03-22T12:15:00Z'
  ]
  return times.map((time) => [`time ${time}`, changed({ time }), 400, 'invalid_time'])
}

const EVENT_REFUSALS: Refusal[] = [
  ...fieldRefusals(),
  ...timeRefusals(),
  ['an unknown field', changed({ colour: 'red' }), 400, 'unknown_field'],
  ['an unknown field of the product', changed({}, { colour: 'red' }), 400, 'unknown_field'],
  ['a product that is no object', posting({ ...tag(), product_info: [] }), 400, 'wrong_type'],
  ['an unknown device', changed({ device: 'PHONE' }), 400, 'unknown_value'],
  ['an action in lower case', changed({ action: 'view' }), 400, 'unknown_value'],
  ['a price of 2^31', changed({}, { price: 2 ** 31 }), 400, 'out_of_range'],
  ['a price below -2^31', changed({}, { price: -(2 ** 31) - 1 }), 400, 'out_of_range'],
  ['a price with a fraction', changed({}, { price: 1.5 }), 400, 'wrong_type'],
  ['a price in quotes', changed({}, { price: '1' }), 400, 'wrong_type'],
  ['a product_id of 2^53', changed({}, { product_id: 2 ** 53 }), 400, 'out_of_range'],
  ['a product_id with a fraction', changed({}, { product_id: 0.5 }), 400, 'wrong_type'],
  ['an empty product_id', changed({}, { product_id: '' }), 400, 'invalid_text'],
  ['an empty event_id', changed({ event_id: '' }), 400, 'invalid_text'],
  ['an event_id of 129 characters', changed({ event_id: 'x'.repeat(129) }), 400, 'invalid_text'],
  ['an Idempotency-Key of 129 characters', posting(tag(), { 'idempotency-key': 'x'.repeat(129) }), 400,
    'invalid_parameter'],
  ['half a document', posting('{"time":'), 400, 'malformed_json'],
  ['no JSON at all', posting('time=now'), 400, 'malformed_json'],
  ['a prototype in the body', posting('{"__proto__":{}}'), 400, 'malformed_json'],
  ['no body', { ...posting(''), headers: JSON_TYPE }, 400, 'empty_body'],
  ['neither body nor type', { method: 'POST', path: '/user_tags' }, 400, 'empty_body'],
  ['an array', posting([tag()]), 400, 'wrong_type'],
  ['null', posting('null'), 400, 'wrong_type'],
  ['a string', posting('"event"'), 400, 'wrong_type'],
  ['a body of 64 KiB and a byte', posting(JSON.stringify(tag()).padEnd(EVENT_BYTES_MAX + 1)), 413, 'body_too_large'],
  ['text', posting(tag(), { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
  ['a form', posting('a=b', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'unsupported_media_type'],
  ['a malformed type', posting(tag(), { 'content-type': 'json;;=' }), 415, 'unsupported_media_type'],
  ['a body without a type', { method: 'POST', path: '/user_tags', body: '{}' }, 415, 'unsupported_media_type'],
  ['GET', asking('/user_tags', 'GET'), 405, 'method_not_allowed'],
  ['PUT', { ...posting(tag()), method: 'PUT' }, 405, 'method_not_allowed'],
  ['an unknown route', asking('/user_tag'), 404, 'route_not_found'],
  ['a route in capitals', asking('/USER_TAGS'), 404, 'route_not_found']
]

const PROFILE_REFUSALS: Refusal[] = [
  ...[
    '', 'time_range=', 'time_range=2022-03-22T12:15:00', 'time_range=_', 'time_range=a_b',
    range('2022-03-22T12:15:00', '2022-03-22T12:14:59'), range('2022-03-22T12:15:00.001', '2022-03-22T12:15:00'),
    range('2022-03-22T12:15:00Z', '2022-03-22T12:16:00Z'), range('2022-03-22%2012:15:00', '2022-03-22%2012:16:00'),
    range('2022-02-30T12:15:00', '2022-03-22T12:16:00'), range('2022-03-22', '2022-03-23'),
    range('2022-03-22T12:15:00.1234', '2022-03-22T12:16:00'), `${RANGE}&${RANGE}`, `${RANGE}_2022-03-22T12:17:00`
  ].map((query): Refusal => [`range ${query}`, asking(`/user_profiles/c?${query}`), 400, 'invalid_time_range']),
  ...['-1', '201', '1.5', 'abc', '', '1e2', '0x10', '%201', '9999999999', '1&limit=1'].map((limit): Refusal => {
    return [`limit ${limit}`, asking(`/user_profiles/c?${RANGE}&limit=${limit}`), 400, 'invalid_limit']
  }),
  ['an unknown parameter', asking(`/user_profiles/c?${RANGE}&limits=1`), 400, 'invalid_parameter'],
  ['no cookie', asking(`/user_profiles/?${RANGE}`), 400, 'invalid_parameter'],
  ['a cookie of 1025 characters', asking(`/user_profiles/${'x'.repeat(1025)}?${RANGE}`), 400, 'invalid_parameter'],
  ['a cookie with NUL', asking(`/user_profiles/a%00?${RANGE}`), 400, 'invalid_parameter'],
  ['a cookie that is not UTF-8', asking(`/user_profiles/%ff?${RANGE}`), 400, 'invalid_request'],
  ['an unfinished escape', asking(`/user_profiles/%4?${RANGE}`), 400, 'invalid_request'],
  ['GET', asking(`/user_profiles/c?${RANGE}`, 'GET'), 405, 'method_not_allowed'],
  ['a path below a cookie', asking(`/user_profiles/a/b?${RANGE}`), 404, 'route_not_found']
]

const AGGREGATES_REFUSALS: Refusal[] = [
  ...[
    '', 'time_range=x', range('2022-03-22T12:15:01', '2022-03-22T12:16:00'),
    range('2022-03-22T12:15:00', '2022-03-22T12:16:30'), range('2022-03-22T12:16:00', '2022-03-22T12:15:00'),
    range('2022-03-22T12:15:00', '2022-03-22T12:26:00'), range('2022-03-22T12:15:00.000', '2022-03-22T12:16:00.000'),
    range('2022-03-22T12:15:00Z', '2022-03-22T12:16:00Z'), `${RANGE}&${RANGE}`
  ].map((query): Refusal => {
    return [`range ${query}`, asking(`/aggregates?${query}&action=VIEW&aggregates=COUNT`), 400, 'invalid_time_range']
  }),
  ...['', '&action=', '&action=view', '&action=CLICK', '&action=VIEW&action=BUY'].map((action): Refusal => {
    return [`action ${action}`, asking(`/aggregates?${RANGE}&aggregates=COUNT${action}`), 400, 'invalid_action']
  }),
  ...[
    '', '&aggregates=', '&aggregates=count', '&aggregates=MAX', '&aggregates=COUNT&aggregates=COUNT',
    '&aggregates=COUNT,SUM_PRICE', '&aggregates[]=COUNT&aggregates=COUNT'
  ].map((aggregates): Refusal => {
    return [`aggregates ${aggregates}`, asking(`/aggregates?${RANGE}&action=VIEW${aggregates}`), 400, 'invalid_aggregates']
  }),
  ['an unknown filter', asking(`${AGGREGATES}&country=PL`), 400, 'invalid_parameter'],
  ['a filter twice', asking(`${AGGREGATES}&origin=a&origin=b`), 400, 'invalid_parameter'],
  ['an empty filter', asking(`${AGGREGATES}&brand_id=`), 400, 'invalid_parameter'],
  ['a filter with NUL', asking(`${AGGREGATES}&category_id=%00`), 400, 'invalid_parameter'],
  ['GET', asking(AGGREGATES, 'GET'), 405, 'method_not_allowed']
]

describeOnEachLog('user_tags', (kind) => {
  let millrace: Millrace

  beforeAll(async () => { millrace = await startMillrace({ kind }) })
  showLogOfFailures(() => millrace)
  afterAll(async () => { await millrace?.stop() })

  describe.each([
    ['an event', EVENT_REFUSALS], ['a profile', PROFILE_REFUSALS], ['aggregates', AGGREGATES_REFUSALS]
  ])('%s is refused with a problem and its code', (_route, refusals) => {
    test.each(refusals)('%s', async (_what, request, status, code) => {
      const answer = await millrace.http.send(request)
      expectProblem(answer, status, code)
      const namesFaults = status === 400 && !['malformed_json', 'empty_body', 'invalid_request'].includes(code)
      if (namesFaults) expect(JSON.parse(answer.text)).toHaveProperty('errors.0.path')
      if (status === 405) expect(answer.headers.allow).toContain('POST')
    })
  })

  test('what was refused is in no profile, what lies on a limit is', async () => {
    const limits = [
      tag({ cookie: 'limits', brand: 'x'.repeat(1024), price: 2 ** 31 - 1 }),
      tag({ cookie: 'limits', brand: '🛒'.repeat(1024), price: -(2 ** 31) }),
      tag({ cookie: 'limits', time: '1970-01-01T00:00:00Z' }),
      tag({ cookie: 'limits', time: '2105-12-31T23:59:59.999Z' })
    ]
    await millrace.postAll(limits)
    expect((await millrace.post(JSON.stringify(tag({ cookie: 'limits' })).padEnd(EVENT_BYTES_MAX))).status).toBe(204)
    const ever = range('1970-01-01T00:00:00', '2106-01-01T00:00:00')
    await expect.poll(async () => (await millrace.profile('limits', ever)).views.length).toBe(5)
    for (const cookie of ['refused', 'cookie']) {
      expect(await millrace.profile(cookie, ever)).toEqual({ cookie, views: [], buys: [] })
    }
  })

  test('an unknown cookie has empty lists, and an empty range has nothing', async () => {
    const nothing = { cookie: 'nobody', views: [], buys: [] }
    expect(await millrace.profile('nobody', RANGE)).toEqual(nothing)
    expect(await millrace.profile('nobody', range('2022-03-22T12:15:00', '2022-03-22T12:15:00'))).toEqual(nothing)
  })

  test.each([
    ['no body', {}],
    ['JSON', { headers: JSON_TYPE, body: '{"any":"thing"}' }],
    ['broken JSON', { headers: JSON_TYPE, body: '{' }],
    ['a JSON type and no body', { headers: JSON_TYPE }],
    ['text', { headers: { 'content-type': 'text/plain' }, body: 'text' }],
    ['bytes of no type', { body: Buffer.from([0, 255, 1]) }],
    ['a malformed type', { headers: { 'content-type': ';;no/such type=' }, body: 'x' }],
    ['a large body', { headers: { 'content-type': 'application/octet-stream' }, body: Buffer.alloc(500_000) }],
    ['a chunked body', { headers: { 'transfer-encoding': 'chunked' }, body: 'x'.repeat(100_000) }]
  ])('a profile and aggregates are answered whatever their body is: %s', async (_what, part) => {
    for (const path of [`/user_profiles/nobody?${RANGE}`, AGGREGATES]) {
      expect((await millrace.http.send({ method: 'POST', path, ...part })).status).toBe(200)
    }
  })
})
