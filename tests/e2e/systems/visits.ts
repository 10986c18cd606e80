/** What a client of visits may rely on: keys, counts, CORS, limits. */
import { describe, expect, test } from 'vitest'
import { LIMIT_PER_SECOND, LISTED_ORIGIN } from '../../support/keyed-system.ts'
import { eventRefusals, expectProblem } from '../refusals.ts'
import { until } from '../../support/until.ts'
import type { HttpAnswer } from '../../support/http-client.ts'
import type { KeyedSystem, Tenant } from '../../support/keyed-system.ts'

const DAY_MS = 86_400_000
/** From the edge of a window that ends now: it moves on while a test runs. */
const MARGIN_MS = 600_000
/** The key's window is a second. */
const LIMIT_MS_MAX = 60_000

type ShortVisit = [time: string | number, page?: string, visitor?: string]
/** By page: timeframe and count. */
type Counts = Record<string, Array<[string, number]>>

const VISIT = { identifier: 'v', pageUrl: 'https://a.example/', visitedAt: '2023-11-01T10:20:30Z' }

const READ_REFUSALS: Array<[query: string, code: string]> = [
  ...['week', '', 'Day', 'day&aggregation=day'].map((name): [string, string] => [`aggregation=${name}`, 'invalid_parameter']),
  ...['yesterday', '2024-02-30', '01.02.2024', '', '2024-02-01T00:00:00'].flatMap((date): Array<[string, string]> => [
    [`dateFrom=${date}`, 'invalid_time'], [`dateTo=${date}`, 'invalid_time']
  ]),
  ['dateFrom=2024-02-02&dateTo=2024-02-01', 'invalid_time_range'],
  ['aggregation=minute&dateFrom=2024-01-01T00:00:00Z&dateTo=2024-01-07T22:40:00Z', 'invalid_time_range'],
  ['aggregation=hour&dateFrom=2022-01-01&dateTo=2024-01-01', 'invalid_time_range'],
  ['aggregation=day&dateFrom=1990-01-01&dateTo=2024-01-01', 'invalid_time_range'],
  ['unique=1', 'invalid_parameter'], ['page=1', 'invalid_parameter']
]

export function describeVisits (system: () => KeyedSystem): void {
  const post = async (tenant: Tenant, visits: readonly ShortVisit[]) => {
    for (const [time, pageUrl = '/', identifier = 'v'] of visits) {
      await tenant.accepts('/visits', { identifier, pageUrl, visitedAt: new Date(time).toISOString() }, {}, 202)
    }
  }
  const countsOf = async (tenant: Tenant, query: string): Promise<Counts> => {
    const { data } = await tenant.json(`/visits?${query}`) as {
      data: Record<string, Array<{ timeframe: string, visit_count: number }>>
    }
    return Object.fromEntries(Object.entries(data).map(([page, counts]) => {
      return [page, counts.map(({ timeframe, visit_count: count }) => [timeframe, count])]
    }))
  }

  describe('visits', () => {
    test('visits are counted by page and minute, hour, day or month; timeframes ascend, pages are sorted', async () => {
      const tenant = system().newTenant()
      await post(tenant, [
        ['2024-03-01T00:00:00.000Z', '/b'], ['2024-02-29T23:59:59.999Z', '/b', 'w'], ['2024-02-29T23:59:00.000Z', '/b', 'w'],
        ['2024-02-29T22:00:30.000Z', '/a'], ['2024-02-01T00:00:00.000Z', '/ä'], ['2024-02-29T22:00:00.000Z', "/'"]
      ])
      await system().stored()
      const window = 'dateFrom=2024-02-01&dateTo=2024-03-31'
      const { text, headers } = await tenant.get(`/visits?aggregation=day&${window}`)
      expect(headers['content-type']).toMatch(/^application\/json/)
      const one = (page: string, day: string) => `"${page}":[{"timeframe":"2024-${day}T00:00:00.000Z","visit_count":1}]`
      expect(text).toBe(`{"data":{${one("/'", '02-29')},${one('/a', '02-29')},"/b":[{"timeframe":"2024-02-29T00:00:00.000Z","visit_count":2},` +
        `{"timeframe":"2024-03-01T00:00:00.000Z","visit_count":1}],${one('/ä', '02-01')}}}`)
      expect(await countsOf(tenant, window)).toEqual(await countsOf(tenant, `aggregation=day&${window}`))
      const ofB = async (query: string) => (await countsOf(tenant, query))['/b']
      expect(await ofB(`aggregation=month&${window}`)).toEqual([['2024-02-01T00:00:00.000Z', 2], ['2024-03-01T00:00:00.000Z', 1]])
      expect(await ofB(`aggregation=month&${window}&unique=true`)).toEqual([['2024-02-01T00:00:00.000Z', 1], ['2024-03-01T00:00:00.000Z', 1]])
      expect(await ofB(`aggregation=month&${window}&unique=false`)).toEqual(await ofB(`aggregation=month&${window}`))
      expect(await ofB(`aggregation=hour&${window}`)).toEqual([['2024-02-29T23:00:00.000Z', 2], ['2024-03-01T00:00:00.000Z', 1]])
      const days = 'dateFrom=2024-02-28&dateTo=2024-03-01'
      expect(await ofB(`aggregation=minute&${days}`)).toEqual([['2024-02-29T23:59:00.000Z', 2], ['2024-03-01T00:00:00.000Z', 1]])
    })

    test('a window has both its ends in, to the millisecond, and a last date to its end', async () => {
      const tenant = system().newTenant()
      const day = Date.UTC(2023, 10, 1)
      const times = [day - 1, day, day + 30_000, day + 60_000, day + DAY_MS - 1, day + DAY_MS]
      await post(tenant, times.map((ms) => [ms]))
      await system().stored()
      const count = async (from: string | number, to: string | number, rest = '') => {
        const at = (bound: string | number) => typeof bound === 'string' ? bound : new Date(bound).toISOString()
        const counts = Object.values(await countsOf(tenant, `dateFrom=${at(from)}&dateTo=${at(to)}${rest}`)).flat()
        return counts.reduce((sum, [, count]) => sum + count, 0)
      }
      expect(await count('2023-11-01', '2023-11-01')).toBe(4)
      expect(await count(day - 1, day + DAY_MS)).toBe(6)
      expect(await count(day + 30_000, day + 30_000)).toBe(1)
      expect(await count(day + 1, day + DAY_MS - 2)).toBe(2)
      expect(await count('2023-11-01', '2023-11-01', '&unique=true')).toBe(1)
      expect(await count('2023-11-01', '2023-11-01', '&aggregation=minute')).toBe(4)
      expect(await count('2024-01-01T00:00:00Z', '2024-01-07T22:39:59.999Z', '&aggregation=minute')).toBe(0)
    })

    test.each([['minute', 1], ['hour', 7], ['day', 30], ['month', 365]])('by %s a read reaches %d days back from now', async (aggregation, days) => {
      const tenant = system().newTenant()
      const now = Date.now()
      const first = now - days * DAY_MS
      await post(tenant, [[first - MARGIN_MS], [first + MARGIN_MS], [now], [now + DAY_MS]])
      await system().stored()
      for (const unique of ['', '&unique=true']) {
        const counts = (await countsOf(tenant, `aggregation=${aggregation}${unique}`))['/'] ?? []
        expect(counts.map(([, count]) => count)).toEqual([1, 1])
      }
    })

    test('an answer holds what any key of the caller\'s organisation wrote, and nothing of another', async () => {
      const [tenant, other] = [system().newTenant(), system().newTenant()]
      const [writer, reader] = [system().special('writer'), system().special('reader')]
      await post(tenant, [['2024-05-05T00:00:00Z', '/ours']])
      await post(writer, [['2024-05-05T00:00:00Z', '/by-another-key']])
      await system().stored()
      expect(Object.keys(await countsOf(tenant, 'dateFrom=2024-05-05&dateTo=2024-05-05'))).toEqual(['/ours'])
      expect(Object.keys(await countsOf(reader, 'dateFrom=2024-05-05&dateTo=2024-05-05'))).toEqual(['/by-another-key'])
      expect(await countsOf(other, 'dateFrom=2024-05-05&dateTo=2024-05-05')).toEqual({})
    })

    test('a visit is answered 202 with a message, and what is none with a problem and its code', async () => {
      const tenant = system().newTenant()
      const { status, text } = await tenant.post('/visits', VISIT)
      expect([status, JSON.parse(text)]).toEqual([202, { message: 'Visit logged' }])
      for (const [what, request, refusal, code] of eventRefusals('/visits', VISIT, { text: 'pageUrl', time: 'visitedAt' })) {
        const answer = await tenant.send(request)
        expect([what, answer.status, answer.text]).toEqual([what, refusal, expect.stringContaining(`"code":"${code}"`)])
        expectProblem(answer, refusal, code)
      }
      for (const [query, code] of READ_REFUSALS) expectProblem(await tenant.get(`/visits?${query}`), 400, code)
      await system().stored()
      expect(await system().millrace.sql(`SELECT count() AS count FROM visits WHERE tenant = '${tenant.id}'`)).toEqual([{ count: 1 }])
    })

    test('both routes ask for a key that is known, good and allowed to', async () => {
      const { http } = system().millrace
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify(VISIT)
      for (const path of ['/visits', '/events/visits']) expectProblem(await http.send({ method: 'POST', path, headers, body }), 401, 'unauthorized')
      expectProblem(await http.send({ path: '/visits' }), 401, 'unauthorized')
      for (const key of ['mr_unknown', system().special('expired').secret]) {
        expectProblem(await http.send({ method: 'POST', path: '/visits', headers: { ...headers, 'x-api-key': key }, body }), 401, 'unauthorized')
        expectProblem(await http.send({ path: '/visits', headers: { 'x-api-key': key } }), 401, 'unauthorized')
      }
      expectProblem(await system().special('reader').post('/visits', VISIT), 403, 'forbidden')
      expectProblem(await system().special('writer').get('/visits'), 403, 'forbidden')
    })

    test('a page of a listed origin may call with its organisation\'s key, and read the answer; no other', async () => {
      const { http } = system().millrace
      const preflight = (origin: string) => http.send({
        method: 'OPTIONS', path: '/visits', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' }
      })
      const listed = await preflight(LISTED_ORIGIN)
      expect(listed.status).toBe(204)
      expect(listed.headers).toMatchObject({
        'access-control-allow-origin': LISTED_ORIGIN,
        'access-control-allow-methods': expect.stringContaining('POST'),
        'access-control-allow-headers': expect.stringContaining('x-api-key')
      })
      expect((await preflight('https://evil.example')).headers).not.toHaveProperty('access-control-allow-origin')
      const allowed = async (tenant: Tenant, origin: string) => {
        const { status, headers } = await tenant.post('/visits', VISIT, { origin })
        expect(status).toBe(202)
        return headers['access-control-allow-origin']
      }
      expect(await allowed(system().special('listed'), LISTED_ORIGIN)).toBe(LISTED_ORIGIN)
      expect(await allowed(system().special('listed'), 'https://evil.example')).toBeUndefined()
      expect(await allowed(system().special('unlisted'), LISTED_ORIGIN)).toBeUndefined()
    })

    test('beyond the rate of its key a request is answered 429 with when to come back, and nothing is stored', async () => {
      const tenant = system().special('limited')
      const answers: HttpAnswer[] = []
      const refused = await until('so many come within a second that some are refused', LIMIT_MS_MAX, async () => {
        const sent = Array.from({ length: 5 * LIMIT_PER_SECOND }, () => tenant.post('/visits', VISIT))
        answers.push(...await Promise.all(sent))
        const found = answers.filter(({ status }) => status === 429)
        return found.length > 0 ? found : undefined
      })
      const taken = answers.filter(({ status }) => status === 202)
      expect(refused.length + taken.length).toBe(answers.length)
      for (const answer of refused) {
        expectProblem(answer, 429, 'rate_limited')
        expect(answer.headers).toMatchObject({
          'retry-after': '1',
          'x-ratelimit-limit': String(LIMIT_PER_SECOND),
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': expect.stringMatching(/^\d+$/)
        })
      }
      await until('the key has requests again', LIMIT_MS_MAX, async () => (await tenant.get('/visits')).status === 200 || undefined)
      await system().stored()
      expect(await system().millrace.sql("SELECT count() AS count FROM visits WHERE tenant = 'limited'")).toEqual([{ count: taken.length }])
    })

    test('the tracker is served to anybody, in less than 3 KB', async () => {
      const { status, headers, text } = await system().millrace.http.send({ path: '/user-tracker.js' })
      expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('javascript')])
      expect(Buffer.byteLength(text)).toBeLessThan(3 * 1024)
    })
  })
}
