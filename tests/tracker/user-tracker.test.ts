import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { visits } from '../../contract/index.ts'
import { compileValidator } from '../../http/index.ts'
import { readTrackerScript } from '../../tracker/index.ts'
import { ENDPOINT, openPage } from './browser-page.ts'

const PAGE = 'https://shop.example/a?b=c'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const KEY = 'millrace-visitor'

const rejections: unknown[] = []
const remember = (reason: unknown): void => { rejections.push(reason) }
beforeEach(() => { process.on('unhandledRejection', remember) })
afterEach(() => {
  process.off('unhandledRejection', remember)
  expect(rejections.splice(0)).toEqual([])
})

test('the script is under 3 KB as it is served, without any compression', async () => {
  const script = await readTrackerScript()
  expect(Buffer.byteLength(script)).toBeLessThan(3 * 1024)
  expect(gzipSync(script).length).toBeLessThan(1500)
  expect(script).not.toMatch(/^\s*\/\//m)
})

describe('a page load', () => {
  test('is sent as a visit that the stream takes, with the key, and outlives the page', async () => {
    const { sent } = await openPage(PAGE)
    expect(sent).toHaveLength(1)
    const [{ url, headers, body, options }] = sent as [typeof sent[0] & object]
    expect(url).toBe(ENDPOINT)
    expect(headers).toEqual({
      'content-type': 'application/json', 'x-api-key': 'key', 'idempotency-key': expect.stringMatching(UUID)
    })
    expect(body).toEqual({
      identifier: expect.stringMatching(UUID), pageUrl: PAGE, visitedAt: expect.stringMatching(/Z$/)
    })
    expect(compileValidator(visits.eventSchema)(body)).toBeUndefined()
    expect(options).toEqual({ method: 'POST', credentials: 'omit', keepalive: true })
  })

  test.each([
    [{ apiKey: 'key' }, ENDPOINT],
    [{ apiKey: 'key', endpoint: 'https://other.example' }, 'https://other.example/visits'],
    [{ apiKey: 'key', endpoint: '/proxy/visits' }, 'https://collect.example/proxy/visits']
  ])('goes where %j says', async (dataset, endpoint) => {
    expect((await openPage(PAGE, { dataset })).sent[0]?.url).toBe(endpoint)
  })

  test('keeps the visitor over page loads, and replaces an id that is none of ours', async () => {
    const storage = new Map([[KEY, 'x'.repeat(5000)]])
    const first = await openPage(PAGE, { storage })
    const second = await openPage(PAGE, { storage })
    expect(first.sent[0]?.body.identifier).toMatch(UUID)
    expect(second.sent[0]?.body.identifier).toBe(first.sent[0]?.body.identifier)
  })

  test('that is ahead of its time is a visit when it is shown', async () => {
    const { sent, emit } = await openPage(PAGE, { prerendering: true })
    expect(sent).toEqual([])
    emit('prerenderingchange')
    expect(sent).toHaveLength(1)
  })

  test('is one visit where the script is on the page twice', async () => {
    const { run, history, urls } = await openPage(PAGE)
    run()
    history.pushState(null, '', '/b')
    expect(urls()).toEqual([PAGE, 'https://shop.example/b'])
  })

  test('of an address longer than the stream takes is sent cut', async () => {
    const { sent } = await openPage(`https://shop.example/${'a'.repeat(3000)}`)
    expect(compileValidator(visits.eventSchema)(sent[0]?.body)).toBeUndefined()
  })
})

describe('a single-page navigation', () => {
  test('is a visit where the address changes, and only there', async () => {
    const { history, location, emit, urls } = await openPage(PAGE)
    expect(history.pushState({}, '', '/b')).toBe('returned')
    history.replaceState({}, '', '/c')
    history.replaceState({ scroll: 3 }, '')
    location.href = 'https://shop.example/b'
    emit('popstate')
    emit('hashchange')
    expect(urls().map((url) => new URL(url).pathname)).toEqual(['/a', '/b', '/c', '/b'])
  })

  test('to a place on the page is none; to a route in the fragment it is one', async () => {
    const { location, emit, urls } = await openPage('https://shop.example/#top')
    for (const fragment of ['#prices', '#/cart', '#!/pay#now', '']) {
      location.href = `https://shop.example/${fragment}`
      emit('hashchange')
    }
    expect(urls()).toEqual([
      'https://shop.example/', 'https://shop.example/#/cart', 'https://shop.example/#!/pay#now',
      'https://shop.example/'
    ])
  })

  test('back to a page that the browser kept is a visit', async () => {
    const { emit, urls } = await openPage(PAGE)
    emit('pageshow', { persisted: false })
    emit('pageshow', { persisted: true })
    expect(urls()).toEqual([PAGE, PAGE])
  })

  test('lets the page meet its own errors', async () => {
    const refuse = () => { throw new RangeError('other origin') }
    const globals = { history: { pushState: refuse, replaceState: refuse } }
    const { history } = await openPage(PAGE, { globals })
    expect(() => history.pushState(null, '', 'https://other.example')).toThrow(RangeError)
  })
})

describe('a visit that is not delivered', () => {
  test.each([
    [503], [429], [new TypeError('offline')]
  ])('(%s) is tried again, under the same id', async (failure) => {
    const { sent, timers, runTimers } = await openPage(PAGE, { answers: [failure, 202] })
    expect(timers).toHaveLength(1)
    await runTimers()
    expect(sent).toHaveLength(2)
    expect(sent[1]).toEqual(sent[0])
    expect(timers).toEqual([])
  })

  test.each([400, 401, 403, 413])('because it was refused (%i) is dropped', async (status) => {
    expect((await openPage(PAGE, { answers: [status] })).timers).toEqual([])
  })

  test('is dropped after six tries, ever longer apart', async () => {
    const { sent, timers, runTimers } = await openPage(PAGE, { answers: [503] })
    const delays: number[] = []
    while (timers.length > 0) {
      delays.push(...timers.map(({ delayMs }) => delayMs))
      await runTimers()
    }
    expect(sent).toHaveLength(6)
    delays.forEach((ms, i) => {
      expect(ms).toBeGreaterThanOrEqual(2000 * 2 ** i)
      expect(ms).toBeLessThan(4000 * 2 ** i)
    })
  })

  test('waits with nineteen others at most', async () => {
    const { history, timers } = await openPage(PAGE, { answers: [new TypeError('offline')] })
    for (let i = 0; i < 100; i++) history.pushState(null, '', `/${i}`)
    await expect.poll(() => timers.length).toBe(20)
  })
})

const fail = (): never => { throw new Error('blocked') }

describe('the page notices nothing', () => {
  test.each([
    ['storage that throws', { localStorage: { getItem: fail, setItem: fail } }],
    ['storage that is full', { localStorage: { getItem: () => null, setItem: fail } }],
    ['no storage', { localStorage: undefined }],
    ['no crypto', { crypto: undefined }],
    ['crypto without randomUUID', { crypto: { getRandomValues: (a: Uint8Array) => globalThis.crypto.getRandomValues(a) } }],
    ['crypto that throws', { crypto: { randomUUID: fail, getRandomValues: fail } }]
  ])('of %s, and is still counted', async (_name, globals) => {
    const { sent, history } = await openPage(PAGE, { globals })
    history.pushState(null, '', '/b')
    expect(sent).toHaveLength(2)
    expect(sent[0]?.body.identifier).toMatch(UUID)
    expect(sent[1]?.body.identifier).toBe(sent[0]?.body.identifier)
  })

  test.each([
    ['no fetch', { fetch: undefined }],
    ['fetch that throws', { fetch: fail }],
    ['fetch that answers nothing', { fetch: () => undefined }],
    ['no timers, and a network that is down', { setTimeout: fail, fetch: async () => fail() }],
    ['no history', { history: undefined }],
    ['no document', { document: undefined }],
    ['no current script', { document: { currentScript: null } }],
    ['no events', { addEventListener: undefined }],
    ['no URL', { URL: undefined }]
  ])('of %s', async (_name, globals) => {
    const { history } = await openPage(PAGE, { globals })
    if (history !== undefined) expect(history.pushState(null, '', '/b')).toBe('returned')
  })

  test('of a script without a key, or with a broken endpoint', async () => {
    expect((await openPage(PAGE, { dataset: { endpoint: ENDPOINT } })).sent).toEqual([])
    expect((await openPage(PAGE, { dataset: { apiKey: 'key', endpoint: 'http://[' } })).sent).toEqual([])
  })
})
