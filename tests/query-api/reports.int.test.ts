import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatTime, interactions } from '../../contract/index.ts'
import { NOW, startSystemsServer } from './systems-server.ts'
import { reportsOf } from './reports-model.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { Interaction } from '../../contract/index.ts'
import type { SystemsServer } from './systems-server.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const DAY_MS = 86_400_000
const T0 = Date.UTC(2024, 1, 29, 12)

let clickHouse: TestClickHouse
const started: SystemsServer[] = []
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterEach(async () => { await Promise.all(started.splice(0).map(({ server }) => server.close())) })
afterAll(async () => { await clickHouse?.close() })

async function start () {
  const systems = await startSystemsServer(await clickHouse.freshDatabase())
  started.push(systems)
  return systems
}

function event (type: Interaction['type'], device: string, ms: number, changes: Partial<Interaction> = {}): Interaction {
  return { app: 'shop', type, device_id: device, timestamp: formatTime(ms), elapsed_time: 0, ...changes }
}
const enter = (device: string, ms: number, entered: number | string, changes: Partial<Interaction> = {}) => {
  return event('funnel_change', device, ms, { action: 'onUrlChange', entered, ...changes })
}

describe('reports on an app', () => {
  it('count the distinct users of each stage and date, and their share of all', async () => {
    const { store, get } = await start()
    await store(interactions, [
      enter('u1', T0, '/home'), enter('u2', T0 + 1, '/home'), enter('u1', T0 + 2, '/products'),
      enter('u1', T0 + 3, '/home'), event('click', 'u3', T0), event('click', 'u4', T0 - 8 * DAY_MS)
    ])
    expect((await get('/apps/shop/stages')).body).toEqual([
      { date: '2024-02-29', stage: '/home', unique_users: 2 },
      { date: '2024-02-29', stage: '/products', unique_users: 1 }
    ])
    expect((await get('/apps/shop/conversion')).body).toEqual([
      { stage: '/home', unique_users: 2, total_users: 3, percent: 66.7 },
      { stage: '/products', unique_users: 1, total_users: 3, percent: 33.3 }
    ])
  })

  it('count the time of a stage for the one that was named, else the one entered before, else none', async () => {
    const { store, get } = await start()
    await store(interactions, [
      enter('u1', T0 + 1, 'b', { elapsed_time: 6.5 }), enter('u1', T0 - 9 * DAY_MS, 'a', { elapsed_time: 99 }),
      enter('u1', T0 + 2, 'c', { elapsed_time: 7.5, from_stage: 'a' }), enter('u2', T0, 'a', { elapsed_time: 99 }),
      enter('u2', T0 + 3, 'a', { elapsed_time: 4 }), enter('u2', T0 + 4, 1, { elapsed_time: 6 }),
      enter('u2', T0 + 5, 'b', { elapsed_time: 3 }), event('btn_time', 'u2', T0 + 3, { elapsed_time: 5 })
    ])
    expect((await get('/apps/shop/stages/time')).body).toEqual([
      { stage: 1, elapsed: 3, hit: 1, average: 3 }, { stage: 'a', elapsed: 24, hit: 4, average: 6 }
    ])
    expect((await get('/apps/shop/journey')).body).toEqual([
      { from: 1, to: 'b', unique_users: 1, hits: 1 }, { from: 'a', to: 1, unique_users: 1, hits: 1 },
      { from: 'a', to: 'a', unique_users: 1, hits: 1 }, { from: 'a', to: 'b', unique_users: 1, hits: 1 },
      { from: 'a', to: 'c', unique_users: 1, hits: 1 }
    ])
  })

  it('keep the JSON type of a stage: the number 1 and the string "1" are two', async () => {
    const { store, get } = await start()
    await store(interactions, ['10', 10, '9', 9, '1', 1, -2, 'null'].map((stage, index) => enter('u', T0 + index, stage)))
    const stages = (await get('/apps/shop/conversion')).body.map(({ stage }: { stage: unknown }) => stage)
    expect(stages).toEqual([-2, 1, 9, 10, '1', '10', '9', 'null'])
  })

  it('count what became of hovering over an element', async () => {
    const { store, get } = await start()
    const hover = (target: string, action: Interaction['action'], count: number, seconds: number) => {
      return Array.from({ length: count }, (_, index) => event('btn_time', 'u', T0 + index, {
        target, ...(action === undefined ? {} : { action }), elapsed_time: seconds / count
      }))
    }
    await store(interactions, [
      ...hover('//a', 'hover_then_leave', 16, 24), ...hover('//a', 'hover_then_clicked', 4, 10),
      ...hover('//b', 'hover_then_leave', 12, 6), ...hover('//b', 'hover_then_clicked', 2, 1),
      ...hover('//c', 'onClick', 1, 1), ...hover('//d', undefined, 1, 1), event('click', 'u', T0, { target: '//e' })
    ])
    const element = (name: string, leaves: number, elapsed: number, clicks: number, seconds: number) => ({
      element: name,
      hover_leave: leaves,
      elapsed_leave: elapsed,
      hover_click: clicks,
      elapsed_click: seconds,
      hit: leaves + clicks,
      average_elapsed: (elapsed + seconds) / (leaves + clicks)
    })
    expect((await get('/apps/shop/elements')).body).toEqual([
      { ...element('//a', 16, 24, 4, 10), percent_leave: 80, percent_click: 20 },
      { ...element('//b', 12, 6, 2, 1), percent_leave: 85.7, percent_click: 14.3 }
    ])
  })

  it('sum times of any size to a number', async () => {
    const { store, get } = await start()
    await store(interactions, [0.1, 0.2].map((elapsed) => enter('u', T0, 'b', { from_stage: 'a', elapsed_time: elapsed })))
    expect((await get('/apps/shop/stages/time')).body[0].elapsed).toBe(0.3)
    await store(interactions, [1.7e308, 1.7e308].map((elapsed) => {
      return enter('u', T0, 'b', { from_stage: 'a', elapsed_time: elapsed })
    }))
    expect((await get('/apps/shop/stages/time')).body[0].elapsed).toBe(Number.MAX_VALUE)
  })

  it('answer an unknown app, and names of any text, with empty lists', async () => {
    const { store, get } = await start()
    await store(interactions, [enter('u', T0, 'a')])
    for (const app of ["x' OR 1=1 --", '{app:String}', 'Shop', '%']) {
      for (const report of Object.keys(reportsOf([], 0, 1))) {
        expect(await get(`/apps/${encodeURIComponent(app)}/${report}`)).toMatchObject({ status: 200, body: [] })
      }
    }
  })

  it('agree with the model for any events, out of order, of several apps and tenants', async () => {
    const { store, get } = await start()
    const tenants = ['acme', 'rival']
    const apps = ['shop', "sh'op"]
    const stages = fc.constantFrom<Array<number | string>>(1, 2, 10, '1', '/home', '/ä', "it's")
    const urls = fc.constantFrom('/', '/a', '/ä', "/'b")
    const base = Date.UTC(2024, 1, 28)
    const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })
    const sent = fc.record({
      tenant: fc.constantFrom(...tenants),
      app: fc.constantFrom(...apps),
      type: fc.constantFrom<Array<Interaction['type']>>(
        'click', 'url_change', 'btn_time', 'funnel_change', 'funnel_change', 'session_start'
      ),
      device_id: fc.constantFrom('d1', 'd2', "d'3", 'd4'),
      ms: fc.nat(3 * 24 * 4).map((quarter) => base + quarter * 900_000 - quarter % 3),
      elapsed_time: fc.nat(400).map((quarters) => quarters / 4),
      target: optional(fc.constantFrom('//a', '//b')),
      from_url: optional(urls),
      to_url: optional(urls),
      action: optional(fc.constantFrom<Array<Interaction['action']>>(
        'hover_then_leave', 'hover_then_clicked', 'onClick'
      )),
      entered: optional(stages),
      from_stage: optional(stages),
      device: optional(fc.constantFrom('mobile', 'desktop')),
      browser: optional(fc.constantFrom('Firefox', 'Chrome'))
    })
    const bound = fc.nat(3 * 24 * 4)
    const asked = fc.tuple(bound, bound, fc.constantFrom(...tenants), fc.constantFrom(...apps))
      .map(([a, b, tenant, app]) => {
        return { fromMs: base + Math.min(a, b) * 900_000, toMs: base + Math.max(a, b) * 900_000, tenant, app }
      })
    const stored = new Map<string, Interaction[]>()
    await fc.assert(fc.asyncProperty(fc.array(sent, { maxLength: 150 }), asked, async (events, question) => {
      for (const tenant of tenants) {
        const own = events.filter((each) => each.tenant === tenant).map(({ tenant: _, ms, ...fields }) => {
          const given = Object.entries(fields).filter(([, value]) => value !== undefined)
          return { ...Object.fromEntries(given), timestamp: formatTime(ms) } as Interaction
        })
        await store(interactions, own, tenant)
        for (const app of apps) {
          const key = JSON.stringify([tenant, app])
          stored.set(key, [...stored.get(key) ?? [], ...own.filter((each) => each.app === app)])
        }
      }
      const { tenant, app, fromMs, toMs } = question
      const expected = reportsOf(stored.get(JSON.stringify([tenant, app])) ?? [], fromMs, toMs)
      for (const [path, report] of Object.entries(expected)) {
        const [name = '', parameter] = path.split('?kind=')
        const kind = parameter === undefined ? {} : { kind: parameter }
        const query = { from: formatTime(fromMs), to: formatTime(toMs), ...kind }
        const answer = await get(`/apps/${encodeURIComponent(app)}/${name}`, query, { 'x-tenant': tenant })
        expect([path, answer.status, answer.body]).toEqual([path, 200, report])
      }
    }), { numRuns: 12, seed: 4 })
  })

  it('reach from 7 days ago to now by default, both ends in, and to the end of a last date', async () => {
    const { store, get } = await start()
    const march2 = Date.UTC(2024, 2, 2)
    const times = [NOW - 7 * DAY_MS - 1, NOW - 7 * DAY_MS, NOW, NOW + 1, march2 - 1, march2]
    await store(interactions, times.map((ms) => event('url_change', 'u', ms, { from_url: '/a', to_url: '/b' })))
    const hits = async (query: Record<string, string>) => {
      return (await get('/apps/shop/journey', { kind: 'url', ...query })).body[0].hits
    }
    expect(await hits({})).toBe(2)
    expect(await hits({ from: '2024-03-01', to: '2024-03-01' })).toBe(3)
    expect(await hits({ from: '2023-03-02', to: '2024-03-01' })).toBe(5)
    expect(await hits({ to: '2024-03-01T00:10:30.501Z' })).toBe(2)
  })
})
