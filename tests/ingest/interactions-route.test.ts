import { describe, expect, test } from 'vitest'
import { interactions } from '../../contract/index.ts'
import { buildIngest } from '../support/ingest-server.ts'
import type { InjectOptions } from 'fastify'

const SAFARI = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ' +
  'Version/17.0 Mobile/15E148 Safari/604.1'

const COMMON = { timestamp: 1767323045678, device_id: 'd1', elapsed_time: 1.5 }
const CLICK = { ...COMMON, type: 0, target: '/html/body/a', current_url: '/home' }
const URL_CHANGE = { ...COMMON, type: 1, from: '/home', to: '/cart' }
const BTN_TIME = { ...COMMON, type: 2, target: '//button', action: 'hover-then-leave' }
const FUNNEL = { ...COMMON, type: 3, action: 'onClick', entered: 2, from_stage: 'start' }
const SESSION = { ...COMMON, type: 'session-start' }

function post (payload: unknown, headers: Record<string, string> = {}, app = 'shop'): InjectOptions {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return {
    method: 'POST',
    url: `/interactions/${app}`,
    payload: text,
    headers: { 'content-type': 'application/json', 'user-agent': '', ...headers }
  }
}

/** The fields that the stored record of one interaction has. */
async function storedOf (payload: unknown, headers: Record<string, string> = {}) {
  const ingest = await buildIngest()
  const response = await ingest.server.inject(post(payload, headers))
  expect(response.json()).toEqual({ accepted: 1, rejected: [] })
  const [record] = await ingest.storedIn(interactions)
  return Object.fromEntries(Object.entries(record ?? {}).filter(([_name, value]) => value !== null))
}

async function codeOf (payload: unknown): Promise<string> {
  const { server, log } = await buildIngest()
  const response = await server.inject(post(payload))
  expect(response.statusCode).toBe(400)
  expect(log.begun()).toBe(0)
  return response.json().rejected[0].code
}

const STORED = {
  timestamp: COMMON.timestamp, app: 'shop', device_id: 'd1', elapsed_time: 1.5, event_id: 'id-1', event_id_origin: 'SERVER', tenant: 'default'
}

describe('an interaction', () => {
  test.each<[object, Array<number | string>, object]>([
    [CLICK, [0, 'click'], { type: 'click', target: '/html/body/a', current_url: '/home' }],
    [URL_CHANGE, [1, 'url-change', 'url_change'], { type: 'url_change', from_url: '/home', to_url: '/cart' }],
    [BTN_TIME, [2, 'btn-time', 'btn_time'], { type: 'btn_time', target: '//button', action: 'hover_then_leave' }],
    [FUNNEL, [3, 'funnel-change', 'funnel_change'], {
      type: 'funnel_change', action: 'onClick', entered: 2, from_stage: 'start'
    }],
    [SESSION, ['session-start', 'session_start'], { type: 'session_start' }]
  ])('%j is stored as the stream has it, by each name of its type', async (wire, names, own) => {
    for (const type of names) expect(await storedOf({ ...wire, type })).toEqual({ ...STORED, ...own })
  })

  test.each([
    ['hover-then-clicked', 'hover_then_clicked'], ['hover_then_clicked', 'hover_then_clicked'],
    ['hover_then_leave', 'hover_then_leave']
  ])('of a button may be %s', async (action, stored) => {
    expect(await storedOf({ ...BTN_TIME, action })).toMatchObject({ action: stored })
  })

  test('of a funnel keeps the JSON type of its stages, and may leave none', async () => {
    for (const entered of [0, '0', 'pay']) {
      const { from_stage: _left, ...funnel } = { ...FUNNEL, action: 'onUrlChange', entered }
      const stored = await storedOf(funnel)
      expect(stored).toMatchObject({ entered, action: 'onUrlChange' })
      expect(stored).not.toHaveProperty('from_stage')
    }
    expect(await storedOf({ ...FUNNEL, from_stage: 7 })).toMatchObject({ from_stage: 7 })
  })

  test.each([
    [1767323045678, 1767323045678], [1767323045, 1767323045000], [1767323045.5, 1767323045500],
    [99_999_999, 99_999_999_000], [1e11, 1e11], [0, 0]
  ])('at %d happened at %d ms', async (timestamp, ms) => {
    expect(await storedOf({ ...CLICK, timestamp })).toMatchObject({ timestamp: ms })
  })

  test('may have taken no time, and name itself', async () => {
    expect(await storedOf({ ...CLICK, elapsed_time: 0, event_id: 'e' }))
      .toMatchObject({ elapsed_time: 0, event_id: 'e', event_id_origin: 'BODY' })
  })
})

describe('the start of a session', () => {
  test('has from the User-Agent header what it leaves out', async () => {
    expect(await storedOf(SESSION, { 'user-agent': SAFARI }))
      .toMatchObject({ device: 'mobile', browser: 'Safari', os: 'iOS' })
  })

  test('keeps what it says itself', async () => {
    const said = { device: 'watch', browser: 'Lynx', os: 'Plan 9', referrer: 'https://a.example/' }
    expect(await storedOf({ ...SESSION, ...said }, { 'user-agent': SAFARI })).toMatchObject(said)
    expect(await storedOf({ ...SESSION, os: 'Plan 9' }, { 'user-agent': SAFARI }))
      .toMatchObject({ device: 'mobile', browser: 'Safari', os: 'Plan 9' })
  })

  test.each(['', 'x', '((((', 'curl/8', 'x'.repeat(8000)])('leaves out what the header \'%s\' does not say', async (agent) => {
    const stored = await storedOf(SESSION, { 'user-agent': agent })
    expect(stored).not.toHaveProperty('os')
    expect(stored).not.toHaveProperty('device')
  })

  test('alone reads the header', async () => {
    expect(await storedOf(CLICK, { 'user-agent': SAFARI })).not.toHaveProperty('browser')
  })
})

describe('a refused interaction', () => {
  test.each<[string, unknown, string]>([
    ['is no object', 5, 'wrong_type'],
    ['is null', null, 'wrong_type'],
    ['is an array in an array', [[CLICK]], 'wrong_type'],
    ['has no type', { ...CLICK, type: undefined }, 'missing_field'],
    ['has a type that is none', { ...CLICK, type: 4 }, 'unknown_value'],
    ['has a type with another name', { ...CLICK, type: 'CLICK' }, 'unknown_value'],
    ['has a number in text for a type', { ...CLICK, type: '0' }, 'unknown_value'],
    ['has a type that is null', { ...CLICK, type: null }, 'wrong_type'],
    ['has text for a timestamp', { ...CLICK, timestamp: '1767323045678' }, 'wrong_type'],
    ['is before 1970', { ...CLICK, timestamp: -1 }, 'out_of_range'],
    ['is after 2105', { ...CLICK, timestamp: 4_300_000_000 }, 'out_of_range'],
    ['took less than nothing', { ...CLICK, elapsed_time: -0.1 }, 'out_of_range'],
    ['has text for a time taken', { ...CLICK, elapsed_time: '1' }, 'wrong_type'],
    ['took for ever', JSON.stringify(CLICK).replace('1.5', '1e400'), 'wrong_type'],
    ['has an empty device', { ...CLICK, device_id: '' }, 'invalid_text'],
    ['has a field of another type', { ...CLICK, from: '/x' }, 'unknown_field'],
    ['has the name that the stream gives a field', { ...URL_CHANGE, from_url: '/x' }, 'unknown_field'],
    ['names its app', { ...CLICK, app: 'other' }, 'unknown_field'],
    ['has a button\'s action in a funnel', { ...FUNNEL, action: 'hover-then-leave' }, 'unknown_value'],
    ['has a funnel\'s action on a button', { ...BTN_TIME, action: 'onClick' }, 'unknown_value'],
    ['has a stage with a fraction', { ...FUNNEL, entered: 1.5 }, 'wrong_type'],
    ['has an empty stage', { ...FUNNEL, entered: '' }, 'invalid_text'],
    ['has a stage that is null', { ...FUNNEL, from_stage: null }, 'wrong_type'],
    ['has poison in it', JSON.stringify(CLICK).replace('{', '{"__proto__":{"type":1},'), 'unknown_field']
  ])('%s', async (_name, payload, code) => {
    expect(await codeOf(payload)).toBe(code)
  })

  const required: Array<[object, string[]]> = [
    [CLICK, ['target', 'current_url']], [URL_CHANGE, ['from', 'to']], [BTN_TIME, ['target', 'action']],
    [FUNNEL, ['action', 'entered']], [SESSION, []]
  ]
  test.each(required)('%j lacks a field that its type must have', async (wire, names) => {
    for (const name of [...Object.keys(COMMON), ...names]) {
      expect([name, await codeOf({ ...wire, [name]: undefined })]).toEqual([name, 'missing_field'])
    }
  })
})

describe('many interactions', () => {
  test('are answered one by one, and the accepted ones stand in the log in order', async () => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post([CLICK, { ...CLICK, type: 9 }, SESSION, URL_CHANGE]))
    expect([response.statusCode, response.json()]).toEqual([200, {
      accepted: 3, rejected: [{ index: 1, code: 'unknown_value', message: expect.any(String) }]
    }])
    expect((await ingest.storedIn(interactions)).map((record) => record.type))
      .toEqual(['click', 'session_start', 'url_change'])
  })

  test('may be lines of JSON', async () => {
    const { server } = await buildIngest()
    const lines = `${JSON.stringify(CLICK)}\n{\n${JSON.stringify(FUNNEL)}\n`
    const response = await server.inject(post(lines, { 'content-type': 'application/x-ndjson' }))
    expect(response.json()).toMatchObject({ accepted: 2, rejected: [{ index: 1, code: 'malformed_json' }] })
  })

  test('are at most 1,000', async () => {
    const { server } = await buildIngest()
    const events = Array(1000).fill(CLICK)
    expect((await server.inject(post(events))).json()).toEqual({ accepted: 1000, rejected: [] })
    expect((await server.inject(post([...events, CLICK]))).json().code).toBe('too_many_events')
  })
})

describe('the app in the path', () => {
  test.each(['a', '%3A%7C%25%26%2F', '%F0%9F%98%80', 'x'.repeat(1024), '__proto__'])('%s is stored as it is', async (app) => {
    const ingest = await buildIngest()
    expect((await ingest.server.inject(post(CLICK, {}, app))).statusCode).toBe(200)
    expect(await ingest.storedIn(interactions)).toMatchObject([{ app: decodeURIComponent(app) }])
  })

  test.each([
    ['a%00b', 400, 'invalid_text'], ['x'.repeat(1025), 400, 'invalid_text'], ['%E0%A4%A', 400, 'invalid_request'],
    ['', 400, 'invalid_text'], ['x'.repeat(20_000), 414, 'uri_too_long']
  ])('%s is refused', async (app, status, code) => {
    const { server } = await buildIngest()
    const response = await server.inject(post(CLICK, {}, app))
    expect([response.statusCode, response.json().code]).toEqual([status, code])
  })
})

describe('interactions in the form of the stream', () => {
  const [TIME, OWN] = ['2026-01-02T03:04:05Z', { app: 'shop', device_id: 'd1', elapsed_time: 1 }]
  const STREAM_CLICK = { ...OWN, timestamp: TIME, type: 'click', target: '//a', current_url: '/' }
  const STREAM_CHANGE = { ...OWN, timestamp: TIME, type: 'url_change', from_url: '/', to_url: '/b' }
  const STREAM_TIME = { ...OWN, timestamp: TIME, type: 'btn_time', target: '//a', action: 'hover_then_leave' }
  const STREAM_FUNNEL = { ...OWN, timestamp: TIME, type: 'funnel_change', action: 'onClick', entered: 1 }
  const STREAM_SESSION = { ...OWN, timestamp: TIME, type: 'session_start' }
  const EVENTS = [STREAM_CLICK, STREAM_CHANGE, STREAM_TIME, STREAM_FUNNEL, STREAM_SESSION]

  async function answerOf (payload: unknown) {
    const { server } = await buildIngest()
    return (await server.inject({ ...post(payload), url: '/events/interactions' })).json()
  }

  test('are taken by the same rules as at the route of their product: each type has its fields', async () => {
    expect(await answerOf([
      ...EVENTS, { ...STREAM_FUNNEL, from_stage: 'a', action: 'onUrlChange' }, { ...STREAM_TIME, action: 'hover_then_clicked' },
      { ...STREAM_SESSION, device: 'tv', browser: 'b', os: 'o', referrer: 'r', event_id: 'e' }
    ])).toEqual({ accepted: EVENTS.length + 3, rejected: [] })
  })

  test.each(EVENTS)('of the type $type lack none of their fields', async (event) => {
    const names = Object.keys(event)
    const { rejected } = await answerOf(names.map((name) => ({ ...event, [name]: undefined })))
    expect(rejected).toEqual(names.map((name, index) => {
      return { index, code: 'missing_field', message: `/${name}: must have required property '${name}'` }
    }))
  })

  test.each<[string, object, string]>([
    ['a field of another type', { ...STREAM_CLICK, from_url: '/' }, 'unknown_field'],
    ['a field of no type', { ...STREAM_CLICK, from: '/' }, 'unknown_field'],
    ['the action of a funnel on a button', { ...STREAM_TIME, action: 'onClick' }, 'unknown_value'],
    ['the action of a button in a funnel', { ...STREAM_FUNNEL, action: 'hover_then_leave' }, 'unknown_value'],
    ['a type by its number', { ...STREAM_CLICK, type: 0 }, 'wrong_type'],
    ['a type that is none', { ...STREAM_CLICK, type: 'tap' }, 'unknown_value'],
    ['an action that is null', { ...STREAM_TIME, action: null }, 'wrong_type'],
    ['a stage with a fraction', { ...STREAM_FUNNEL, entered: 0.5 }, 'wrong_type'],
    ['less than no time', { ...STREAM_CLICK, elapsed_time: -1 }, 'out_of_range']
  ])('are refused one by one for %s', async (_what, event, code) => {
    expect(await answerOf([event, STREAM_CLICK]))
      .toMatchObject({ accepted: 1, rejected: [{ index: 0, code }] })
  })
})
