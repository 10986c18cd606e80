import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { analytics, formatTime } from '../../contract/index.ts'
import { analyticsOf } from './analytics-model.ts'
import { startSystemsServer } from './systems-server.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { AnalyticsEvent } from '../../contract/index.ts'
import type { SystemsServer } from './systems-server.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const HOUR_MS = 3_600_000

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

const happening = (ms: number, user: string, event: AnalyticsEvent['event']): AnalyticsEvent => {
  return { timestamp: formatTime(ms), user, event }
}

describe('GET /analytics', () => {
  it('answers three lines of text, or JSON to who asks for it, for seconds and milliseconds', async () => {
    const { store, get } = await start()
    await store(analytics, [
      happening(1_224_567_997_000, '3', 'click'), happening(1_224_567_998_000, '1', 'impression')
    ])
    for (const timestamp of ['1224567999', '1224567999000']) {
      const { status, text, headers } = await get('/analytics', { timestamp })
      expect([status, text]).toEqual([200, 'unique_users,2\nclicks,1\nimpressions,1'])
      expect(headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', vary: 'accept' })
      const { body } = await get('/analytics', { timestamp }, { accept: 'application/json' })
      expect(body).toEqual({ unique_users: 2, clicks: 1, impressions: 1 })
    }
    expect((await get('/analytics', { timestamp: '0' })).text).toBe('unique_users,0\nclicks,0\nimpressions,0')
  })

  it('has both ends of the hour in, to the millisecond', async () => {
    const { store, get } = await start()
    const end = 1_224_567_999_000
    const times = [end - HOUR_MS - 1, end - HOUR_MS, end, end + 1]
    await store(analytics, times.map((ms, index) => happening(ms, `u${index}`, 'click')))
    expect((await get('/analytics', { timestamp: String(end) })).text).toContain('clicks,2\n')
    expect((await get('/analytics', { timestamp: String(end + 1) })).text).toContain('unique_users,2\n')
  })

  it('agrees with the model for any events, out of order, of several tenants', async () => {
    const { store, get } = await start()
    const tenants = ['acme', 'rival']
    const base = Date.UTC(2024, 1, 29, 23)
    const time = fc.nat(3 * 360).map((step) => base + step * 10_000)
    const sent = fc.record({
      tenant: fc.constantFrom(...tenants),
      user: fc.integer({ min: 0, max: 300 }).map((user) => `u'${user}`),
      event: fc.constantFrom('click' as const, 'impression' as const),
      ms: time
    })
    const stored = new Map<string, AnalyticsEvent[]>()
    await fc.assert(fc.asyncProperty(
      fc.array(sent, { maxLength: 300 }), fc.array(time, { maxLength: 10 }), async (events, times) => {
        for (const tenant of tenants) {
          const own = events.filter((event) => event.tenant === tenant)
            .map(({ ms, user, event }) => happening(ms, user, event))
          await store(analytics, own, tenant)
          stored.set(tenant, [...stored.get(tenant) ?? [], ...own])
          await Promise.all(times.map(async (toMs) => {
            const { body } = await get('/analytics', { timestamp: String(toMs / 1000) }, {
              accept: 'application/json', 'x-tenant': tenant
            })
            expect(body).toEqual(analyticsOf(stored.get(tenant) ?? [], toMs))
          }))
        }
      }), { numRuns: 12, seed: 4 })
  })
})
