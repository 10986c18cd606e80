/** What a client of page_views may rely on: docs/systems/page-views.md says it in prose, this in requests. */
import { describe, expect, test } from 'vitest'
import { eventRefusals, expectProblem } from '../refusals.ts'
import type { KeyedSystem, Tenant } from '../../support/keyed-system.ts'

const DAY_MS = 86_400_000
/** From the edge of a window that ends now: it moves on while a test runs. */
const MARGIN_MS = 600_000
const VIEW = { user_id: 'u', name: '/', timestamp: '2024-02-29T10:00:00Z' }
const T0 = Date.UTC(2024, 1, 29, 12)

const READ_REFUSALS: Array<[path: string, code: string]> = [
  ...['0', '91', '7.5', '-1', '', 'all', '1&days=2'].map((days): [string, string] => [`u?days=${days}`, 'invalid_parameter']),
  ...['now', '', '2024-02-30', '2024-02-29T12:00:00', '1709208000'].map((time): [string, string] => {
    return [`u?as_of=${time}`, 'invalid_time']
  }),
  ['u?day=1', 'invalid_parameter'], ['a%00', 'invalid_parameter'], ['x'.repeat(1025), 'invalid_parameter']
]

function viewsOf (userId: string, times: readonly number[], name = '/'): object[] {
  return times.map((ms) => ({ user_id: userId, name, timestamp: new Date(ms).toISOString() }))
}

export function describePageViews (system: () => KeyedSystem): void {
  const post = async (tenant: Tenant, views: readonly object[]): Promise<void> => {
    for (const view of views) await tenant.accepts('/page', view, {}, 204)
  }
  const statistics = async (tenant: Tenant, user: string, query = 'as_of=2024-03-01') => {
    const answer = await tenant.json(`/user/${encodeURIComponent(user)}?${query}`)
    return {
      views: answer.number_pages_viewed_the_last_7_days,
      minutes: answer.time_spent_on_site_last_7_days,
      days: answer.number_of_days_active_last_7_days,
      page: answer.most_viewed_page_last_7_days
    }
  }

  describe('page_views', () => {
    test('each session counts its length and a minute, and a gap of more than 30 minutes begins one', async () => {
      const tenant = system().newTenant()
      const vectors: Array<[times: string[], minutes: number]> = [
        [['10:00'], 1], [['10:00', '10:10', '10:29'], 30], [['10:00', '10:45'], 2],
        [['10:00', '10:20', '11:00', '11:05'], 27], [['10:00', '10:30'], 31],
        [['10:00:00.000', '10:30:00.001'], 2], [['10:00', '10:00'], 1], [['10:00:00', '10:00:30'], 1.5]
      ]
      for (const [index, [times]] of vectors.entries()) {
        await post(tenant, viewsOf(`u${index}`, times.map((time) => Date.parse(`2024-02-29T${time}Z`)).reverse()))
      }
      await system().stored()
      for (const [index, [times, minutes]] of vectors.entries()) {
        expect(await statistics(tenant, `u${index}`)).toEqual({ views: times.length, minutes, days: 1, page: '/' })
      }
    })

    test('the answer has the names that clients know, whatever the user is called', async () => {
      const tenant = system().newTenant()
      const users = ['u_1', "'; DROP TABLE page_views; --", '{user_id:String}', 'a/b?c#d%26', '🛒', 'null', '..x']
      await post(tenant, users.map((userId) => ({ ...VIEW, user_id: userId, name: userId })))
      await system().stored()
      for (const user of users) {
        expect(await tenant.json(`/user/${encodeURIComponent(user)}?as_of=2024-03-01`)).toEqual({
          user_id: user,
          number_pages_viewed_the_last_7_days: 1,
          time_spent_on_site_last_7_days: 1,
          number_of_days_active_last_7_days: 1,
          most_viewed_page_last_7_days: user
        })
      }
    })

    test('the window is (now - 7 days, now], moved by as_of and sized by days', async () => {
      const tenant = system().newTenant()
      const now = Date.now()
      await post(tenant, viewsOf('now', [now - 7 * DAY_MS - MARGIN_MS, now - 7 * DAY_MS + MARGIN_MS, now, now + DAY_MS]))
      await post(tenant, viewsOf('edges', [T0 - DAY_MS, T0 - DAY_MS + 1, T0, T0 + 1]))
      await system().stored()
      expect(await statistics(tenant, 'now', '')).toMatchObject({ views: 2, minutes: 2, days: 2 })
      expect((await statistics(tenant, 'now', 'days=8')).views).toBe(3)
      const views = async (query: string) => (await statistics(tenant, 'edges', query)).views
      const asOf = `as_of=${new Date(T0).toISOString()}`
      expect(await views(`days=1&${asOf}`)).toBe(2)
      expect(await views(`days=2&${asOf}`)).toBe(3)
      expect(await views('days=1&as_of=2024-02-29')).toBe(2)
      expect(await views('days=90&as_of=2024-05-01T00:00:00Z')).toBe(4)
      expect(await views('')).toBe(0)
    })

    test('days active are UTC dates, and of the pages viewed most often the one viewed last is named', async () => {
      const tenant = system().newTenant()
      const midnight = Date.UTC(2024, 1, 29)
      await post(tenant, [
        ...viewsOf('days', [midnight, midnight - 1, midnight + DAY_MS - 1]),
        ...viewsOf('ties', [T0 + 120_000, T0], '/b'), ...viewsOf('ties', [T0, T0 + 60_000], '/a'),
        ...viewsOf('ties', [T0 + 300_000], '/c')
      ])
      await system().stored()
      expect(await statistics(tenant, 'days')).toMatchObject({ views: 3, days: 2 })
      expect(await statistics(tenant, 'ties')).toEqual({ views: 5, minutes: 6, days: 1, page: '/b' })
    })

    test('a user who is unknown, has only old views, or is of another organisation has zeros and null', async () => {
      const [tenant, other] = [system().newTenant(), system().newTenant()]
      await post(tenant, viewsOf('old', [Date.now() - 8 * DAY_MS]))
      await post(other, viewsOf('theirs', [Date.now()]))
      await system().stored()
      for (const user of ['old', 'nobody', 'theirs']) {
        expect(await statistics(tenant, user, '')).toEqual({ views: 0, minutes: 0, days: 0, page: null })
      }
      expect((await statistics(other, 'theirs', '')).views).toBe(1)
    })

    test('every view stays in the raw table as it came, and in the one by user', async () => {
      const tenant = system().newTenant()
      await post(tenant, [VIEW, { ...VIEW, timestamp: '2024-02-29T11:00:00.1234567+01:00' }])
      await system().stored()
      for (const table of ['page_views', 'page_views_by_user']) {
        expect(await system().millrace.sql(`SELECT user_id, name, toUnixTimestamp64Milli(timestamp) AS ms, time_text
          FROM ${table} WHERE tenant = '${tenant.id}' ORDER BY timestamp`)).toEqual([
          { user_id: 'u', name: '/', ms: Date.parse(VIEW.timestamp), time_text: VIEW.timestamp },
          { user_id: 'u', name: '/', ms: Date.parse(VIEW.timestamp) + 123, time_text: '2024-02-29T11:00:00.123+01:00' }
        ])
      }
    })

    test('a view is answered 204 with no body, and what is none with a problem and its code', async () => {
      const tenant = system().newTenant()
      const { status, text, headers } = await tenant.post('/page', { ...VIEW, user_id: '🛒'.repeat(1024) })
      expect([status, text, headers['content-length']]).toEqual([204, '', undefined])
      for (const [what, request, refusal, code] of eventRefusals('/page', VIEW, { text: 'name', time: 'timestamp' })) {
        const answer = await tenant.send(request)
        expect([what, answer.status, answer.text]).toEqual([what, refusal, expect.stringContaining(`"code":"${code}"`)])
        expectProblem(answer, refusal, code)
      }
      for (const [path, code] of READ_REFUSALS) expectProblem(await tenant.get(`/user/${path}`), 400, code)
      await system().stored()
      const rows = await system().millrace.sql(`SELECT count() AS count FROM page_views WHERE tenant = '${tenant.id}'`)
      expect(rows).toEqual([{ count: 1 }])
    })

    test('without a key that is good for it, nobody writes or reads', async () => {
      const { http } = system().millrace
      const writes = (secret: string) => system().special('reader').send({
        method: 'POST', path: '/page', headers: { 'content-type': 'application/json', 'x-api-key': secret }, body: JSON.stringify(VIEW)
      })
      for (const secret of ['', 'mr_unknown', system().special('expired').secret]) {
        expectProblem(await writes(secret), 401, 'unauthorized')
      }
      expectProblem(await writes(system().special('reader').secret), 403, 'forbidden')
      expectProblem(await http.send({ path: '/user/u' }), 401, 'unauthorized')
      expectProblem(await system().special('writer').get('/user/u'), 403, 'forbidden')
    })
  })
}
