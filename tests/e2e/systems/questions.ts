/** What whoever asks any question about any stream may rely on. */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../refusals.ts'
import { until } from '../../support/until.ts'
import { tag } from '../user-tag-events.ts'
import type { KeyedSystem, Tenant } from '../../support/keyed-system.ts'

const TIME = '2024-03-30T23:30:00Z'
const RANGE = { from: '2024-03-30T00:00:00Z', to: '2024-04-01T00:00:00Z' }
const COUNT = { measures: [{ fn: 'count' }], time: RANGE }
const OTHER_RANGE = { ...RANGE, from: '2022-03-22T00:00:00Z', to: '2022-03-23T00:00:00Z' }

/** A question about each stream, and its rows when `storeAll` has stored once. */
const QUESTIONS: Array<[question: object, rows: unknown[][]]> = [
  [{ ...COUNT, stream: 'page_views', measures: [{ fn: 'count' }, { fn: 'uniq', field: 'user_id' }], group_by: ['name'] },
    [['/a', 3, 2], ['/b', 1, 1]]],
  // In Warsaw these are two days, and the second one lasts 23 hours.
  [{ ...COUNT, stream: 'page_views', time: { ...RANGE, bucket: '1d', timezone: 'Europe/Warsaw' } },
    [['2024-03-30T23:00:00.000Z', 3], ['2024-03-31T22:00:00.000Z', 1]]],
  [{ ...COUNT, stream: 'interactions', measures: [{ fn: 'sum', field: 'elapsed_time' }, { fn: 'max', field: 'elapsed_time' }], group_by: ['type'] },
    [['click', 4, 2.5]]],
  [{ ...COUNT, stream: 'analytics', group_by: ['event'], having: { field: 'count', op: '>', value: 1 } }, [['click', 2]]],
  [{ ...COUNT, stream: 'visits', group_by: ['pageUrl'], filters: { not: { field: 'pageUrl', op: 'starts_with', value: '/x' } } },
    [["/'", 1]]],
  [{ stream: 'user_tags', measures: [{ fn: 'sum', field: 'price' }, { fn: 'quantile', field: 'price', level: 0.5 }], time: OTHER_RANGE },
    [[300, 150]]],
  [{ stream: 'user_tags', measures: [{ fn: 'count' }], time: { ...OTHER_RANGE, from: '2022-03-22T12:14:00Z', to: '2022-03-22T12:17:00Z', bucket: '1m' }, fill: true },
    [['2022-03-22T12:14:00.000Z', 0], ['2022-03-22T12:15:00.000Z', 2], ['2022-03-22T12:16:00.000Z', 0]]]
]

const REFUSALS: Array<[what: string, question: unknown, code: string]> = [
  ['an unknown stream', { ...COUNT, stream: 'nothing' }, 'unknown_value'],
  ['a field of another stream', { ...COUNT, stream: 'page_views', group_by: ['cookie'] }, 'unknown_field'],
  ['a field of the envelope', { ...COUNT, stream: 'page_views', group_by: ['tenant'] }, 'unknown_field'],
  ['a function that the field has not', { ...COUNT, stream: 'page_views', measures: [{ fn: 'sum', field: 'name' }] }, 'invalid_query'],
  ['an operator that the field has not', {
    ...COUNT, stream: 'analytics', filters: [{ field: 'event', op: 'contains', value: 'c' }]
  }, 'invalid_query'],
  ['no time', { stream: 'page_views', measures: [{ fn: 'count' }] }, 'missing_field'],
  ['a range that is reversed', { ...COUNT, stream: 'page_views', time: { from: RANGE.to, to: RANGE.from } }, 'invalid_time_range'],
  ['a zone that is none', { ...COUNT, stream: 'page_views', time: { ...RANGE, bucket: '1d', timezone: 'Mars/Base' } }, 'unknown_value'],
  ['an unknown member', { ...COUNT, stream: 'page_views', limits: 5 }, 'unknown_field'],
  ['no JSON', '{', 'malformed_json']
]

/** The log is looked at now and then. */
const REACH_MS_MAX = 30_000

export function describeQuestions (system: () => KeyedSystem): void {
  const storeAll = async (tenant: Tenant) => {
    const view = { user_id: 'u1', name: '/a', timestamp: TIME }
    await tenant.accepts('/events/page_views', [
      view, view, { ...view, user_id: 'u2', timestamp: '2024-03-31T21:59:59.999Z' }, { ...view, name: '/b', timestamp: '2024-03-31T22:00:00Z' }
    ])
    const click = { type: 'click', app: 'a', device_id: 'd', elapsed_time: 1.5, timestamp: TIME, target: 't', current_url: '/' }
    await tenant.accepts('/events/interactions', [click, { ...click, elapsed_time: 2.5 }])
    await tenant.accepts('/events/analytics', ['click', 'click', 'impression'].map((event) => ({ timestamp: TIME, user: 'u', event })))
    await tenant.accepts('/events/visits', ["/'", '/x'].map((pageUrl) => ({ identifier: 'v', pageUrl, visitedAt: TIME })))
    await tenant.accepts('/events/user_tags', [tag({ price: 100 }), tag({ price: 200 })])
    await system().stored()
  }

  describe('questions', () => {
    test('any stream answers aggregates of the caller\'s own events, and says how far they reach and where from', async () => {
      const [tenant, other] = [system().newTenant(), system().newTenant()]
      const before = Date.now()
      await storeAll(tenant)
      for (const [question, rows] of QUESTIONS) {
        const answer = await until('the answer says that it holds the events', REACH_MS_MAX, async () => {
          const { status, text } = await tenant.post('/query', question)
          const found = JSON.parse(text)
          expect([question, status, found.rows]).toEqual([question, 200, rows])
          return Date.parse(found.complete_up_to) > before ? found : undefined
        })
        expect(['rollup', 'raw']).toContain(answer.source)
      }
      const [[question]] = QUESTIONS as [[object, unknown[][]]]
      expect(JSON.parse((await other.post('/query', question)).text).rows).toEqual([])
      await until('a report says that it holds the events', REACH_MS_MAX, async () => {
        const { headers } = await tenant.get('/user/u1?as_of=2024-04-01')
        return Date.parse(String(headers['x-complete-up-to'])) > before || undefined
      })
    })

    test('an answer comes as JSON, CSV, lines or Arrow, by Accept', async () => {
      const tenant = system().newTenant()
      await storeAll(tenant)
      const question = { ...COUNT, stream: 'page_views', group_by: ['name'] }
      const as = (accept: string) => tenant.post('/query', question, { accept })
      expect((await as('text/csv')).text).toBe('name,count\r\n/a,3\r\n/b,1\r\n')
      expect((await as('application/x-ndjson')).text).toBe('{"name":"/a","count":3}\n{"name":"/b","count":1}\n')
      const arrow = await as('application/vnd.apache.arrow.stream')
      expect([arrow.status, arrow.headers['content-type']]).toEqual([200, 'application/vnd.apache.arrow.stream'])
      expectProblem(await as('image/png'), 406, 'not_acceptable')
    })

    test('a saved question has a URL, and an ETag that changes when more of its stream is stored', async () => {
      const tenant = system().newTenant()
      await storeAll(tenant)
      const saved = await tenant.post('/queries', { ...COUNT, stream: 'page_views', group_by: ['name'] })
      const { url } = JSON.parse(saved.text)
      expect([saved.status, saved.headers.location]).toEqual([200, url])
      // A look at the log serves for a moment: only a 304 that reaches this instant has seen it all.
      const storedAt = Date.now()
      const etag = await until('the answer stays the same', REACH_MS_MAX, async () => {
        const { status, text, headers } = await tenant.get(url)
        expect([status, JSON.parse(text).rows]).toEqual([200, [['/a', 3], ['/b', 1]]])
        const again = await tenant.get(url, { 'if-none-match': headers.etag as string })
        const reach = Date.parse(String(again.headers['x-complete-up-to']))
        return again.status === 304 && reach >= storedAt ? headers.etag as string : undefined
      })
      await tenant.accepts('/page', { user_id: 'u', name: '/b', timestamp: TIME }, {}, 204)
      await system().stored()
      const second = await until('the answer is another one', REACH_MS_MAX, async () => {
        const answer = await tenant.get(url, { 'if-none-match': etag })
        return answer.status === 304 ? undefined : answer
      })
      expect([second.status, JSON.parse(second.text).rows]).toEqual([200, [['/a', 3], ['/b', 2]]])
      expect(second.headers.etag).not.toBe(etag)
    })

    test('the catalogue has every stream with its fields, and what may be asked of them', async () => {
      const { streams } = await system().newTenant().json('/streams')
      expect(streams.map(({ name }: { name: string }) => name))
        .toEqual(['user_tags', 'page_views', 'interactions', 'analytics', 'visits'])
      for (const { fields, subject, event_time: eventTime, tables } of streams) {
        const names = fields.map(({ name }: { name: string }) => name)
        expect(names).toEqual(expect.arrayContaining([subject, eventTime]))
        expect(fields.filter(({ personal }: { personal: boolean }) => personal)).toHaveLength(1)
        for (const { retention_days: days } of tables) expect(days).toBeGreaterThan(0)
      }
    })

    test('what the catalogue does not hold cannot be asked, and nobody asks without a key', async () => {
      const tenant = system().newTenant()
      for (const [what, question, code] of REFUSALS) {
        const answer = await tenant.post('/query', question)
        expect([what, answer.text]).toEqual([what, expect.stringContaining(`"code":"${code}"`)])
        expectProblem(answer, 400, code)
      }
      for (const path of ['/query', '/queries']) {
        expectProblem(await system().special('writer').post(path, QUESTIONS[0]?.[0]), 403, 'forbidden')
      }
      expectProblem(await system().millrace.http.send({ path: '/streams' }), 401, 'unauthorized')
      expectProblem(await tenant.get('/query/nonsense'), 400, 'invalid_parameter')
    })
  })
}
