import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatTime, pageViews } from '../../contract/index.ts'
import { NOW, startSystemsServer } from './systems-server.ts'
import { minutesSpent, userStatisticsOf } from './user-statistics-model.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { PageView } from '../../contract/index.ts'
import type { SystemsServer } from './systems-server.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

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

const view = (userId: string, ms: number, name = '/'): PageView => {
  return { user_id: userId, name, timestamp: formatTime(ms) }
}
const at = (time: string): number => Date.parse(`2024-02-29T${time}Z`)

describe('GET /user/{user_id}', () => {
  it.each([
    [['10:00'], 1], [['10:00', '10:10', '10:29'], 30], [['10:00', '10:45'], 2],
    [['10:00', '10:20', '11:00', '11:05'], 27], [['10:00', '10:30'], 31], [['10:00', '10:00'], 1],
    [['10:00:00.000', '10:30:00.001'], 2], [['10:00:00', '10:00:30'], 1.5]
  ])('gives views at %j the time %d', async (times, minutes) => {
    const { store, get } = await start()
    const views = times.map((time) => view('u', at(time)))
    await store(pageViews, views.toReversed())
    expect(minutesSpent(views.map(({ timestamp }) => Date.parse(timestamp)))).toBe(minutes)
    expect((await get('/user/u')).body).toEqual({
      user_id: 'u',
      number_pages_viewed_the_last_7_days: times.length,
      time_spent_on_site_last_7_days: minutes,
      number_of_days_active_last_7_days: 1,
      most_viewed_page_last_7_days: '/'
    })
  })

  it('answers zeros and null for an unknown user, and for one with only old views', async () => {
    const { store, get } = await start()
    await store(pageViews, [view('old', NOW - 7 * DAY_MS), view('new', NOW + 1)])
    for (const user of ['old', 'new', 'nobody', "x' OR 1=1 --"]) {
      expect(await get(`/user/${encodeURIComponent(user)}`)).toMatchObject({
        status: 200,
        body: {
          user_id: user,
          number_pages_viewed_the_last_7_days: 0,
          time_spent_on_site_last_7_days: 0,
          number_of_days_active_last_7_days: 0,
          most_viewed_page_last_7_days: null
        }
      })
    }
  })

  it('leaves the start of the window out and has its end in, to the millisecond', async () => {
    const { store, get } = await start()
    const end = at('12:00')
    await store(pageViews, [end - DAY_MS, end - DAY_MS + 1, end, end + 1].map((ms) => view('u', ms)))
    const views = async (query: Record<string, string>) => {
      return (await get('/user/u', query)).body.number_pages_viewed_the_last_7_days
    }
    expect(await views({ days: '1', as_of: formatTime(end) })).toBe(2)
    expect(await views({ days: '2', as_of: formatTime(end) })).toBe(3)
    expect(await views({ days: '1', as_of: '2024-02-29' })).toBe(2)
    expect(await views({})).toBe(4)
  })

  it('names the page viewed last where several were viewed most often', async () => {
    const { store, get } = await start()
    await store(pageViews, [
      view('u', at('10:02'), '/b'), view('u', at('10:00'), '/a'), view('u', at('10:01'), '/a'),
      view('u', at('10:00'), '/b'), view('u', at('10:05'), '/c'), view('same', at('10:00'), '/x'),
      view('same', at('10:00'), '/a')
    ])
    expect((await get('/user/u')).body.most_viewed_page_last_7_days).toBe('/b')
    expect((await get('/user/same')).body.most_viewed_page_last_7_days).toBe('/a')
    const often = (name: string, times: number) => Array.from({ length: times }, () => view('often', at('10:00'), name))
    await store(pageViews, [...often('/300', 300), ...often('/200', 200)])
    expect((await get('/user/often')).body.most_viewed_page_last_7_days).toBe('/300')
  })

  it('agrees with the model for any views, out of order, of several tenants, asked at once', async () => {
    const { store, get } = await start()
    const users = ['a', "a'", '__proto__', 'ä']
    const tenants = ['acme', 'rival']
    const base = Date.UTC(2024, 1, 28)
    const event = fc.record({
      tenant: fc.constantFrom(...tenants),
      user: fc.constantFrom(...users),
      page: fc.constantFrom('/', '/b', "'c"),
      ms: fc.oneof(
        fc.nat(3 * 1440).map((minute) => base + minute * MINUTE_MS),
        fc.integer({ min: -40 * DAY_MS, max: 3 * DAY_MS }).map((ms) => base + ms),
        fc.nat(200).map((step) => base + DAY_MS - 10 * MINUTE_MS + step * 15_000)
      )
    })
    const question = fc.record({
      tenant: fc.constantFrom(...tenants),
      user: fc.constantFrom(...users),
      days: fc.oneof(fc.constantFrom(1, 7, 90), fc.integer({ min: 1, max: 90 })),
      asOfMs: fc.oneof(
        fc.nat(4 * 1440).map((minute) => base + minute * MINUTE_MS), fc.nat(4 * DAY_MS).map((ms) => base + ms)
      )
    })
    const stored = new Map<string, PageView[]>(tenants.map((tenant) => [tenant, []]))
    await fc.assert(fc.asyncProperty(
      fc.array(event, { maxLength: 200 }), fc.array(question, { maxLength: 30 }),
      async (events, questions) => {
        for (const tenant of tenants) {
          const views = events.filter((sent) => sent.tenant === tenant)
            .map(({ user, ms, page }) => view(user, ms, page))
          await store(pageViews, views, tenant)
          stored.get(tenant)?.push(...views)
        }
        await Promise.all(questions.map(async ({ tenant, user, days, asOfMs }) => {
          const { body } = await get(`/user/${encodeURIComponent(user)}`, {
            days: String(days), as_of: formatTime(asOfMs)
          }, { 'x-tenant': tenant })
          expect(body).toEqual(userStatisticsOf(stored.get(tenant) ?? [], user, asOfMs, days))
        }))
      }), { numRuns: 15, seed: 4 })
  })
})
