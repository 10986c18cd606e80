/** What a client of analytics may rely on. */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../refusals.ts'
import type { KeyedSystem, Tenant } from '../../support/keyed-system.ts'

const JSON_WANTED = { accept: 'application/json' }

/** What is no event, with the code that it is counted by. */
const INVALID: Array<[query: string, code: string]> = [
  ['', 'missing_field'], ['timestamp=1224567997', 'missing_field'], ['timestamp=1224567997&user=3', 'missing_field'],
  ['user=3&event=click', 'missing_field'], ['timestamp=&user=3&event=click', 'invalid_time'],
  ['timestamp=yesterday&user=3&event=click', 'invalid_time'], ['timestamp=-5&user=3&event=click', 'invalid_time'],
  ['timestamp=1.5&user=3&event=click', 'invalid_time'], ['timestamp=99999999999&user=3&event=click', 'out_of_range'],
  ['timestamp=1224567997&user=3&event=tap', 'unknown_value'], ['timestamp=1224567997&user=&event=click', 'invalid_text'],
  [`timestamp=1224567997&user=${'x'.repeat(1025)}&event=click`, 'invalid_text'],
  ['timestamp=1224567997&user=%00&event=click', 'invalid_text'],
  ['timestamp=1224567997&user=3&user=4&event=click', 'invalid_parameter']
]

export function describeAnalytics (system: () => KeyedSystem): void {
  const send = async (tenant: Tenant, query: string, body?: string) => {
    const { status, text } = await tenant.send({ method: 'POST', path: `/analytics?${query}`, ...(body === undefined ? {} : { body }) })
    expect([query, status, text]).toEqual([query, 204, ''])
  }

  describe('analytics', () => {
    test('the vector: a click and an impression, in text and in JSON, by seconds and by milliseconds', async () => {
      const tenant = system().newTenant()
      await send(tenant, 'timestamp=1224567997&user=3&event=click')
      await send(tenant, 'timestamp=1224567998000&user=1&event=impression', 'any body at all')
      await system().stored()
      for (const timestamp of ['1224567999', '1224567999000']) {
        const answer = await tenant.get(`/analytics?timestamp=${timestamp}`)
        expect([answer.status, answer.text]).toEqual([200, 'unique_users,2\nclicks,1\nimpressions,1'])
        expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
        const { headers, text } = await tenant.get(`/analytics?timestamp=${timestamp}`, JSON_WANTED)
        expect(headers['content-type']).toMatch(/^application\/json/)
        expect(JSON.parse(text)).toEqual({ unique_users: 2, clicks: 1, impressions: 1 })
      }
      const other = await system().newTenant().get('/analytics?timestamp=1224567999')
      expect(other.text).toBe('unique_users,0\nclicks,0\nimpressions,0')
    })

    test('the hour has both its ends in, and users are counted once, exactly', async () => {
      const tenant = system().newTenant()
      const end = 1_709_208_000_000
      for (const ms of [end - 3_600_001, end - 3_600_000, end, end + 1]) await send(tenant, `timestamp=${ms}&user=u${ms}&event=click`)
      const users = Array.from({ length: 300 }, (_, index) => `timestamp=${1_600_000_000 + index}&user=${index % 100}&event=impression`)
      await Promise.all(users.map((query) => send(tenant, query)))
      await system().stored()
      const numbers = async (timestamp: number) => {
        return JSON.parse((await tenant.get(`/analytics?timestamp=${timestamp}`, JSON_WANTED)).text)
      }
      expect(await numbers(end)).toEqual({ unique_users: 2, clicks: 2, impressions: 0 })
      expect(await numbers(end + 1)).toEqual({ unique_users: 2, clicks: 2, impressions: 0 })
      expect(await numbers(1_600_000_400)).toEqual({ unique_users: 100, clicks: 0, impressions: 300 })
    })

    test('whatever comes is answered 204; what is no event is dead-lettered with its reason, and counted', async () => {
      const tenant = system().newTenant()
      const rejected = (code: string) => {
        return system().millrace.metric('millrace_events_rejected_total', { stream: 'analytics', code })
      }
      const codes = [...new Set(INVALID.map(([, code]) => code))]
      const before = await Promise.all(codes.map(rejected))
      for (const [query] of INVALID) await send(tenant, `${query}&marker=${tenant.id}`)
      await send(tenant, `marker=${tenant.id}`, `a body of ${tenant.id}`)
      await send(tenant, `timestamp=1224567997&user=marked&event=click&marker=${tenant.id}`)
      await system().stored()
      const letters = await system().millrace.sql<Record<'value' | 'detail' | 'state' | 'reason', string>>(
        `SELECT value, detail, state, reason FROM dead_letters
         WHERE stream = 'analytics' AND position(value, 'marker=${tenant.id}') > 0`)
      expect(letters.map(({ reason, state }) => [reason, state]))
        .toEqual([...INVALID, 'body'].map(() => ['rejected_at_ingest', 'open']))
      const values = letters.map(({ value }) => value)
      for (const [query] of INVALID) {
        expect(values).toContainEqual(expect.stringContaining(`POST /analytics?${query}&marker`))
      }
      for (const { detail } of letters) expect(detail).toMatch(/\w/)
      expect(values).toContainEqual(expect.stringContaining(`a body of ${tenant.id}`))
      const counted = INVALID.map(([, code]) => code).concat('missing_field')
      const after = codes.map((code, index) => {
        return (before[index] ?? 0) + counted.filter((each) => each === code).length
      })
      expect(await Promise.all(codes.map(rejected))).toEqual(after)
      expect((await tenant.get('/analytics?timestamp=1224567999')).text).toBe('unique_users,1\nclicks,1\nimpressions,0')
    })

    test('a read without a timestamp, or with a bad one, is refused; and without a key', async () => {
      const tenant = system().newTenant()
      for (const [query, code] of [
        ['', 'invalid_time'], ['timestamp=', 'invalid_time'], ['timestamp=now', 'invalid_time'], ['timestamp=-1', 'invalid_time'],
        ['timestamp=1.5', 'invalid_time'], ['timestamp=1&timestamp=2', 'invalid_time'], ['timestamp=99999999999', 'out_of_range'],
        ['timestamp=1&user=3', 'invalid_parameter']
      ] as const) expectProblem(await tenant.get(`/analytics?${query}`), 400, code)
      expectProblem(await system().millrace.http.send({ path: '/analytics?timestamp=1' }), 401, 'unauthorized')
      expectProblem(await system().special('reader').send({ method: 'POST', path: '/analytics' }), 403, 'forbidden')
      expectProblem(await tenant.send({ method: 'PUT', path: '/analytics' }), 405, 'method_not_allowed')
    })
  })
}
