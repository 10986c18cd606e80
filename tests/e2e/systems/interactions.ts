/** What a client of interactions may rely on when it sends them, and what it gets back in reports. */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../refusals.ts'
import type { KeyedSystem, Tenant } from '../../support/keyed-system.ts'

const T0 = Date.UTC(2024, 1, 29, 12)
const DAY_MS = 86_400_000
/** From the edge of a window that ends now: it moves on while a test runs. */
const MARGIN_MS = 600_000
const COMMON = { timestamp: T0, device_id: 'd', elapsed_time: 1.5 }
const CLICK = { ...COMMON, type: 0, target: '/html/body/a', current_url: '/home' }
const URL_CHANGE = { ...COMMON, type: 1, from: '/home', to: '/cart' }
const BTN_TIME = { ...COMMON, type: 2, target: '//button', action: 'hover-then-leave' }
const FUNNEL = { ...COMMON, type: 3, action: 'onClick', entered: 2, from_stage: 'start' }
const SESSION = { ...COMMON, type: 'session-start' }

const REPORTS = ['stages', 'stages/time', 'elements', 'conversion', 'devices', 'browsers', 'pages', 'journey']
const FEBRUARY_29 = 'from=2024-02-29&to=2024-02-29'

type Told = string | null
const USER_AGENTS: Array<[agent: string, device: Told, browser: Told, os: Told]> = [
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1',
    'mobile', 'Safari', 'iOS'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
    'desktop', 'Chrome', 'Windows'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0', 'desktop', 'Firefox', 'Linux'],
  ['((((', null, null, null]
]

const REFUSALS: Array<[what: string, event: unknown, code: string]> = [
  ['no object', 5, 'wrong_type'],
  ['no type', { ...CLICK, type: undefined }, 'missing_field'],
  ['an unknown type', { ...CLICK, type: 4 }, 'unknown_value'],
  ['a type that is no name', { ...CLICK, type: null }, 'wrong_type'],
  ...[CLICK, URL_CHANGE, BTN_TIME, FUNNEL].flatMap((event) => Object.keys(event)
    .filter((name) => name !== 'from_stage')
    .map((name): [string, unknown, string] => {
      return [`type ${event.type} without ${name}`, { ...event, [name]: undefined }, 'missing_field']
    })),
  ['time that is negative', { ...CLICK, elapsed_time: -0.5 }, 'out_of_range'],
  ['a timestamp before 1970', { ...CLICK, timestamp: -1 }, 'out_of_range'],
  ['a timestamp after 2105', { ...CLICK, timestamp: 4_300_000_000 }, 'out_of_range'],
  ['a timestamp in text', { ...CLICK, timestamp: '2024-02-29T12:00:00Z' }, 'wrong_type'],
  ['an empty device', { ...CLICK, device_id: '' }, 'invalid_text'],
  ['NUL', { ...CLICK, target: 'a\0' }, 'invalid_text'],
  ['an action of another type', { ...FUNNEL, action: 'hover-then-leave' }, 'unknown_value'],
  ['a field of another type', { ...CLICK, from: '/' }, 'unknown_field'],
  ['a stage with a fraction', { ...FUNNEL, entered: 1.5 }, 'wrong_type']
]

export function describeInteractions (system: () => KeyedSystem): void {
  const rowsOf = (tenant: Tenant, columns: string) => system().millrace.sql(
    `SELECT ${columns} FROM interactions WHERE tenant = '${tenant.id}' ORDER BY timestamp, _partition, _offset`)
  const report = (tenant: Tenant, name: string, query = FEBRUARY_29) => tenant.json(`/apps/shop/${name}?${query}`)

  describe('interactions', () => {
    test('each type has a number and names, each time is seconds or milliseconds, one comes alone or in an array', async () => {
      const tenant = system().newTenant()
      const events = [
        ...[0, 'click'].map((type) => ({ ...CLICK, type })),
        ...[1, 'url-change', 'url_change'].map((type) => ({ ...URL_CHANGE, type })),
        ...[2, 'btn-time', 'btn_time'].map((type) => ({ ...BTN_TIME, type, action: 'hover-then-clicked' })),
        ...[3, 'funnel-change', 'funnel_change'].map((type) => ({ ...FUNNEL, type, action: 'onUrlChange' })),
        ...['session-start', 'session_start'].map((type) => ({ ...SESSION, type }))
      ]
      const times = [T0 / 1000, T0, T0 / 1000 + 0.5, 99_999_999, 1e11]
      for (const timestamp of times) await tenant.accepts('/interactions/shop', { ...CLICK, timestamp })
      const { status, text } = await tenant.post('/interactions/shop', events)
      expect([status, JSON.parse(text)]).toEqual([200, { accepted: events.length, rejected: [] }])
      await system().stored()
      expect(await system().millrace.sql(`SELECT type, count() AS count FROM interactions
        WHERE tenant = '${tenant.id}' AND timestamp = fromUnixTimestamp64Milli(${T0}) GROUP BY type ORDER BY type`)).toEqual([
        { type: 'btn_time', count: 3 }, { type: 'click', count: 4 }, { type: 'funnel_change', count: 3 },
        { type: 'session_start', count: 2 }, { type: 'url_change', count: 3 }
      ])
      expect(await rowsOf(tenant, "DISTINCT toUnixTimestamp64Milli(timestamp) AS ms, type = 'x' AS x"))
        .toEqual([1e11, 99_999_999_000, T0, T0 + 500].sort((a, b) => a - b).map((ms) => ({ ms, x: 0 })))
    })

    test('of an array each is taken or rejected by itself, with a code', async () => {
      const tenant = system().newTenant()
      const { status, text } = await tenant.post('/interactions/shop', [CLICK, ...REFUSALS.map(([, event]) => event), URL_CHANGE])
      expect(status).toBe(200)
      const { accepted, rejected } = JSON.parse(text) as {
        accepted: number, rejected: Array<{ index: number, code: string }>
      }
      expect(accepted).toBe(2)
      expect(rejected.map(({ index, code }) => [REFUSALS[index - 1]?.[0], code]))
        .toEqual(REFUSALS.map(([what, , code]) => [what, code]))
      const none = await tenant.post('/interactions/shop', [{ ...CLICK, type: 9 }])
      expectProblem(none, 400, 'unknown_value')
      expect(JSON.parse(none.text).rejected).toHaveLength(1)
      expectProblem(await tenant.post('/interactions/a%00b', CLICK), 400, 'invalid_text')
      expectProblem(await tenant.post('/interactions/shop', '{'), 400, 'malformed_json')
      expectProblem(await tenant.post('/interactions/shop', Array(1001).fill(CLICK)), 413, 'too_many_events')
      expectProblem(await system().special('reader').post('/interactions/shop', CLICK), 403, 'forbidden')
      await system().stored()
      expect(await rowsOf(tenant, 'type, target, current_url, from_url, to_url')).toEqual([
        { type: 'click', target: CLICK.target, current_url: '/home', from_url: null, to_url: null },
        { type: 'url_change', target: null, current_url: null, from_url: '/home', to_url: '/cart' }
      ])
    })

    test('what the start of a session leaves out is read from the User-Agent header', async () => {
      const tenant = system().newTenant()
      for (const [index, [agent]] of USER_AGENTS.entries()) {
        await tenant.accepts('/interactions/shop', { ...SESSION, timestamp: T0 + index }, { 'user-agent': agent })
      }
      const said = { device: 'watch', browser: 'Lynx', referrer: 'https://a.example/' }
      await tenant.accepts('/interactions/shop', { ...SESSION, ...said, timestamp: T0 + 9 }, { 'user-agent': USER_AGENTS[0]?.[0] ?? '' })
      await system().stored()
      expect(await rowsOf(tenant, 'device, browser, os, referrer')).toEqual([
        ...USER_AGENTS.map(([, device, browser, os]) => ({ device, browser, os, referrer: null })), { ...said, os: 'iOS' }
      ])
    })

    test('the vector of stages: distinct users per date and stage, and their share of all', async () => {
      const tenant = system().newTenant()
      const enter = (device: string, entered: string, ms = T0) => {
        return { ...FUNNEL, device_id: device, entered, timestamp: ms }
      }
      await tenant.accepts('/interactions/shop', [
        enter('u1', '/home'), enter('u2', '/home'), enter('u1', '/products'), enter('u1', '/home', T0 + 1),
        { ...CLICK, device_id: 'u3' }, enter('u1', '/home', T0 - DAY_MS)
      ])
      await tenant.accepts('/interactions/other', enter('u9', '/home'))
      await system().newTenant().accepts('/interactions/shop', enter('u9', '/home'))
      await system().stored()
      expect(await report(tenant, 'stages', 'from=2024-02-28&to=2024-02-29')).toEqual([
        { date: '2024-02-28', stage: '/home', unique_users: 1 }, { date: '2024-02-29', stage: '/home', unique_users: 2 },
        { date: '2024-02-29', stage: '/products', unique_users: 1 }
      ])
      expect(await report(tenant, 'conversion')).toEqual([
        { stage: '/home', unique_users: 2, total_users: 3, percent: 66.7 },
        { stage: '/products', unique_users: 1, total_users: 3, percent: 33.3 }
      ])
    })

    test('the vector of times: 24 s over 4 hits is 6 s, for the stage that was named, else entered before, else none', async () => {
      const tenant = system().newTenant()
      const { from_stage: _named, ...funnel } = FUNNEL
      const enter = (device: string, ms: number, entered: number | string, elapsed: number) => {
        return { ...funnel, device_id: device, timestamp: T0 + ms, entered, elapsed_time: elapsed }
      }
      await tenant.accepts('/interactions/shop', [
        enter('u1', 1, 'b', 6.5), enter('u1', -9 * DAY_MS, 'a', 99), { ...enter('u1', 2, 'c', 7.5), from_stage: 'a' },
        enter('u2', 0, 'a', 99), enter('u2', 3, 'a', 4), enter('u2', 4, 1, 6), enter('u2', 5, 'b', 3), BTN_TIME
      ])
      await system().stored()
      expect(await report(tenant, 'stages/time')).toEqual([
        { stage: 1, elapsed: 3, hit: 1, average: 3 }, { stage: 'a', elapsed: 24, hit: 4, average: 6 }
      ])
      const edge = (from: unknown, to: unknown) => ({ from, to, unique_users: 1, hits: 1 })
      const edges = [edge(1, 'b'), edge('a', 1), edge('a', 'a'), edge('a', 'b'), edge('a', 'c')]
      expect(await report(tenant, 'journey')).toEqual(edges)
      expect(await report(tenant, 'journey', `${FEBRUARY_29}&kind=stage`)).toEqual(edges)
    })

    test('the vector of elements: 16 leaves and 4 clicks are 80 and 20 %, 12 and 2 are 85.7 and 14.3 %', async () => {
      const tenant = system().newTenant()
      const hover = (target: string, action: string, count: number, seconds: number) => {
        return Array(count).fill({ ...BTN_TIME, target, action, elapsed_time: seconds / count })
      }
      await tenant.accepts('/interactions/shop', [
        ...hover('//b', 'hover-then-leave', 12, 6), ...hover('//b', 'hover-then-clicked', 2, 1), CLICK,
        ...hover('//a', 'hover-then-leave', 16, 24), ...hover('//a', 'hover-then-clicked', 4, 10)
      ])
      await system().stored()
      type Pair = [number, number]
      const row = (element: string, leaves: Pair, clicks: Pair, percent: Pair, average: number) => ({
        element,
        hover_leave: leaves[0],
        elapsed_leave: leaves[1],
        hover_click: clicks[0],
        elapsed_click: clicks[1],
        hit: leaves[0] + clicks[0],
        percent_leave: percent[0],
        percent_click: percent[1],
        average_elapsed: average
      })
      expect(await report(tenant, 'elements')).toEqual([
        row('//a', [16, 24], [4, 10], [80, 20], 1.7), row('//b', [12, 6], [2, 1], [85.7, 14.3], 0.5)
      ])
    })

    test('devices and browsers are shares of distinct users, pages have views and the time on them', async () => {
      const tenant = system().newTenant()
      const start = (device: string, kind: string, browser: string) => ({ ...SESSION, device_id: device, device: kind, browser, os: 'x' })
      const move = (device: string, from: string, to: string, elapsed: number) => {
        return { ...URL_CHANGE, device_id: device, from, to, elapsed_time: elapsed }
      }
      await tenant.accepts('/interactions/shop', [
        start('u1', 'phone', 'Firefox'), start('u1', 'phone', 'Firefox'), start('u2', 'tv', 'Firefox'), start('u3', 'tv', 'Safari'),
        move('u1', '/', '/cart', 10), move('u2', '/', '/cart', 5), move('u1', '/cart', '/', 2.5), CLICK
      ])
      await system().stored()
      const share = (users: number, percent: number) => ({ unique_users: users, total_users: 3, percent })
      expect(await report(tenant, 'devices')).toEqual([{ device: 'phone', ...share(1, 33.3) }, { device: 'tv', ...share(2, 66.7) }])
      expect(await report(tenant, 'browsers')).toEqual([
        { browser: 'Firefox', ...share(2, 66.7) }, { browser: 'Safari', ...share(1, 33.3) }
      ])
      expect(await report(tenant, 'pages')).toEqual([
        { page: '/', views: 1, elapsed: 15, hit: 2, average: 7.5 }, { page: '/cart', views: 2, elapsed: 2.5, hit: 1, average: 2.5 }
      ])
      expect(await report(tenant, 'journey', `${FEBRUARY_29}&kind=url`)).toEqual([
        { from: '/', to: '/cart', unique_users: 2, hits: 2 }, { from: '/cart', to: '/', unique_users: 1, hits: 1 }
      ])
    })

    test('a report is of the last 7 days by default, has both ends in, and is empty where nothing is known', async () => {
      const tenant = system().newTenant()
      const now = Date.now()
      const start = now - 7 * DAY_MS
      const times = [start - MARGIN_MS, start + MARGIN_MS, now, now + DAY_MS, T0, T0 + 1000]
      await tenant.accepts('/interactions/shop', times.map((timestamp) => ({ ...URL_CHANGE, timestamp })))
      await system().stored()
      const hits = async (query: string) => (await report(tenant, 'journey', `kind=url&${query}`))[0]?.hits ?? 0
      expect(await hits('')).toBe(2)
      const at = (ms: number) => new Date(ms).toISOString()
      expect(await hits(`from=${at(T0)}&to=${at(T0 + 1000)}`)).toBe(2)
      expect(await hits(`from=${at(T0 + 1)}&to=${at(T0 + 999)}`)).toBe(0)
      expect(await hits('from=2024-02-29&to=2024-02-29')).toBe(2)
      for (const name of REPORTS) {
        expect([name, await tenant.json(`/apps/nothing/${name}`)]).toEqual([name, []])
        for (const [query, code] of [
          ['from=yesterday', 'invalid_time'], ['from=2024-03-01&to=2024-02-29', 'invalid_time_range'],
          ['from=2022-01-01&to=2024-01-01', 'invalid_time_range'], ['limit=1', 'invalid_parameter']
        ]) expectProblem(await tenant.get(`/apps/shop/${name}?${query}`), 400, code as string)
        expectProblem(await system().millrace.http.send({ path: `/apps/shop/${name}` }), 401, 'unauthorized')
      }
      expectProblem(await tenant.get('/apps/shop/journey?kind=page'), 400, 'invalid_parameter')
    })
  })
}
