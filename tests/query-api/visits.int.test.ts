import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatTime, visits } from '../../contract/index.ts'
import { NOW, startSystemsServer } from './systems-server.ts'
import { pagesOf, visitsOf } from './visits-model.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { SystemsServer } from './systems-server.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'
import type { Visit } from '../../contract/index.ts'

const DAY_MS = 86_400_000

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

const visit = (ms: number, pageUrl = '/', identifier = 'v'): Visit => ({ visitedAt: formatTime(ms), pageUrl, identifier })

describe('GET /visits', () => {
  it('counts by page and bucket, pages sorted whatever they are called, timeframes ascending', async () => {
    const { store, get } = await start()
    const t0 = Date.UTC(2024, 1, 29, 23, 59, 59, 999)
    await store(visits, ['/b', '10', '9', '__proto__', '/ä', "'", '/b'].map((page) => visit(t0, page)))
    await store(visits, [visit(t0 + 1, '/b'), visit(t0 - DAY_MS, '/b', 'w')])
    const { text, headers } = await get('/visits')
    const one = '[{"timeframe":"2024-02-29T00:00:00.000Z","visit_count":1}]'
    const many = [['28', 1], ['29', 2]].map(([day, count]) => {
      return `{"timeframe":"2024-02-${day}T00:00:00.000Z","visit_count":${count}},`
    }).join('')
    expect(text).toBe(`{"data":{"'":${one},"/b":[${many}{"timeframe":"2024-03-01T00:00:00.000Z","visit_count":1}],` +
      `"/ä":${one},"10":${one},"9":${one},"__proto__":${one}}}`)
    expect(headers['content-type']).toContain('application/json')
    expect((await get('/visits', { unique: 'true', aggregation: 'month' })).body.data['/b']).toEqual([
      { timeframe: '2024-02-01T00:00:00.000Z', visit_count: 2 },
      { timeframe: '2024-03-01T00:00:00.000Z', visit_count: 1 }
    ])
  })

  it.each([
    ['minute', 1], ['hour', 7], ['day', 30], ['month', 365]
  ])('by %s reaches %d days back to now, both ends in', async (aggregation, days) => {
    const { store, get } = await start()
    const times = [NOW - days * DAY_MS - 1, NOW - days * DAY_MS, NOW, NOW + 1]
    await store(visits, times.map((ms) => visit(ms)))
    for (const unique of ['false', 'true']) {
      const { body } = await get('/visits', { aggregation, unique })
      expect(body.data['/'].map((each: any) => each.visit_count)).toEqual([1, 1])
    }
  })

  it('gives those who ask at once for one range in different buckets what each would get alone', async () => {
    const { store, get } = await start()
    const times = Array.from({ length: 200 }, (_, n) => NOW - n * n * 90_000 - n)
    await store(visits, times.map((ms, n) => visit(ms, `/${n % 3}`)))
    const buckets = ['hour', 'day', 'month']
    const ask = (aggregation: string) => get('/visits', { aggregation, dateFrom: '2024-01-20', dateTo: '2024-03-01' })
    const alone: string[] = []
    for (const aggregation of buckets) alone.push((await ask(aggregation)).text)
    const together = await Promise.all([...buckets, ...buckets].map(ask))
    expect(together.map(({ text }) => text)).toEqual([...alone, ...alone])
    expect(new Set(alone).size).toBe(3)
  })

  it('has both ends in, to the millisecond, and a last date to its end', async () => {
    const { store, get } = await start()
    const day = Date.UTC(2023, 10, 1)
    const times = [day - 1, day, day + 30_000, day + 60_000, day + DAY_MS - 1, day + DAY_MS]
    await store(visits, times.map((ms) => visit(ms)))
    const count = async (dateFrom: string, dateTo: string) => {
      const { body } = await get('/visits', { dateFrom, dateTo })
      return Object.values<any>(body.data).flat().reduce((sum, each) => sum + each.visit_count, 0)
    }
    expect(await count('2023-11-01', '2023-11-01')).toBe(4)
    expect(await count(formatTime(day - 1), formatTime(day + DAY_MS))).toBe(6)
    expect(await count(formatTime(day + 1), formatTime(day + 59_999))).toBe(1)
    expect(await count(formatTime(day + 30_000), formatTime(day + 30_000))).toBe(1)
    expect(await count(formatTime(day + 30_001), formatTime(day + DAY_MS - 2))).toBe(1)
    expect(await count('0001-01-01', '0001-01-02')).toBe(0)
    expect(await count('9999-12-01', '9999-12-31')).toBe(0)
  })

  it('counts the last second before the first whole minute, and the first after the last, however they are stored', async () => {
    const { store, get } = await start()
    const minute = Date.UTC(2023, 10, 1)
    // Each in a part of its own, whose primary key then holds this one time.
    for (const ms of [minute - 1, minute + 60_000, minute + 60_999]) await store(visits, [visit(ms)])
    const query = { dateFrom: formatTime(minute - 1), dateTo: formatTime(minute + 60_999), aggregation: 'month' }
    const { body } = await get('/visits', query)
    expect(body.data['/'].map((each: any) => each.visit_count)).toEqual([1, 2])
  })

  it('agrees with the model for any visits, out of order, of several tenants, over the ends of months', async () => {
    const { store, get } = await start()
    const tenants = ['acme', 'rival']
    const base = Date.UTC(2024, 1, 28)
    const time = fc.oneof(
      fc.nat(3 * 1440).map((minute) => base + minute * 60_000),
      fc.nat(3 * DAY_MS).map((ms) => base + ms),
      fc.nat(240_000).map((ms) => base + 2 * DAY_MS - 120_000 + ms),
      fc.integer({ min: -400, max: 40 }).map((days) => base + days * DAY_MS)
    )
    const sent = fc.record({
      tenant: fc.constantFrom(...tenants),
      page: fc.constantFrom('/', '/b', "/'c", '1', '/ä'),
      visitor: fc.constantFrom('v', 'w', "'x"),
      ms: time
    })
    const asked = fc.record({
      tenant: fc.constantFrom(...tenants),
      aggregation: fc.constantFrom('minute', 'hour', 'day', 'month'),
      bounds: fc.tuple(time, time).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
      unique: fc.boolean()
    })
    const stored = new Map<string, Visit[]>(tenants.map((tenant) => [tenant, []]))
    await fc.assert(fc.asyncProperty(
      fc.array(sent, { maxLength: 200 }), fc.array(asked, { maxLength: 20 }), async (events, questions) => {
        for (const tenant of tenants) {
          const own = events.filter((event) => event.tenant === tenant)
            .map(({ ms, page, visitor }) => visit(ms, page, visitor))
          await store(visits, own, tenant)
          stored.get(tenant)?.push(...own)
        }
        await Promise.all(questions.map(async ({ tenant, aggregation, bounds: [fromMs, toMs], unique }) => {
          const query = {
            aggregation, unique: String(unique), dateFrom: formatTime(fromMs), dateTo: formatTime(toMs)
          }
          const { status, body } = await get('/visits', query, { 'x-tenant': tenant })
          if (aggregation === 'minute' && toMs - fromMs > 10_000 * 60_000) return expect(status).toBe(400)
          const question = { aggregation, fromMs, toMs, unique }
          expect(pagesOf(body.data)).toEqual(visitsOf(stored.get(tenant) ?? [], question))
        }))
      }), { numRuns: 15, seed: 4 })
  })
})
