/** What whoever sends events of any stream in batches may rely on. */
import { describe, expect, test } from 'vitest'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expectProblem } from '../refusals.ts'
import { posting } from '../../support/keyed-system.ts'
import { tag } from '../user-tag-events.ts'
import type { HttpRequest } from '../../support/http-client.ts'
import type { KeyedSystem } from '../../support/keyed-system.ts'

const TIME = '2024-02-29T12:00:00Z'
const VIEW = { user_id: 'u', name: '/', timestamp: TIME }
const NDJSON = { 'content-type': 'application/x-ndjson' }
const BATCH_BYTES_MAX = 1024 * 1024

/** A valid event of each stream, and one that lacks something. */
const EVENTS: Record<string, { event: object, broken: object }> = {
  user_tags: { event: tag(), broken: { ...tag(), cookie: undefined } },
  page_views: { event: VIEW, broken: { ...VIEW, name: undefined } },
  interactions: {
    event: { type: 'url_change', app: 'a', device_id: 'd', elapsed_time: 1, timestamp: TIME, from_url: '/', to_url: '/b' },
    broken: { type: 'url_change', app: 'a', device_id: 'd', elapsed_time: 1, timestamp: TIME, from_url: '/' }
  },
  analytics: { event: { timestamp: TIME, user: 'u', event: 'click' }, broken: { timestamp: TIME, event: 'click' } },
  visits: { event: { identifier: 'v', pageUrl: '/', visitedAt: TIME }, broken: { identifier: 'v', pageUrl: '/' } }
}

const lines = (...events: readonly unknown[]) => events.map((event) => typeof event === 'string' ? event : JSON.stringify(event)).join('\r\n')

const REFUSALS: Array<[what: string, request: HttpRequest, status: number, code: string]> = [
  ['no body', { method: 'POST', path: '/events/page_views', headers: NDJSON }, 400, 'empty_body'],
  ['broken JSON', posting('/events/page_views', '[{]'), 400, 'malformed_json'],
  ['1,001 events', posting('/events/page_views', Array(1001).fill(VIEW)), 413, 'too_many_events'],
  ['1,001 lines', posting('/events/page_views', lines(...Array(1001).fill(VIEW)), NDJSON), 413, 'too_many_events'],
  ['more than 1 MiB', posting('/events/page_views', JSON.stringify([VIEW]).padEnd(BATCH_BYTES_MAX + 1)), 413, 'body_too_large'],
  ['more than 1 MiB inside gzip', posting('/events/page_views', gzipSync(JSON.stringify([VIEW]).padEnd(BATCH_BYTES_MAX + 1)), {
    'content-encoding': 'gzip'
  }), 413, 'body_too_large'],
  ['more than 1 MiB inside zstd', posting('/events/page_views', zstdCompressSync(JSON.stringify([VIEW]).padEnd(BATCH_BYTES_MAX + 1)), {
    'content-encoding': 'zstd'
  }), 413, 'body_too_large'],
  ['no zstd', posting('/events/page_views', [VIEW], { 'content-encoding': 'zstd' }), 400, 'malformed_encoding'],
  ['brotli', posting('/events/page_views', [VIEW], { 'content-encoding': 'br' }), 415, 'unsupported_encoding'],
  ['text', posting('/events/page_views', [VIEW], { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
  ['an Idempotency-Key beside two events', posting('/events/page_views', [VIEW, VIEW], { 'idempotency-key': 'k' }), 400, 'invalid_parameter'],
  ['an unknown stream', posting('/events/nothing', [VIEW]), 404, 'route_not_found'],
  ['GET', { path: '/events/page_views' }, 405, 'method_not_allowed']
]

export function describeEventBatches (system: () => KeyedSystem): void {
  const countIn = async (stream: string, tenant: string) => {
    const [row] = await system().millrace.sql<{ count: number }>(`SELECT count() AS count FROM ${stream} WHERE tenant = '${tenant}'`)
    return row?.count
  }

  describe('events of any stream', () => {
    test('come alone, in an array, in lines, plain or compressed, and each is stored once', async () => {
      const tenant = system().newTenant()
      for (const [stream, { event, broken }] of Object.entries(EVENTS)) {
        const path = `/events/${stream}`
        const bodies: Array<[string | Buffer, Record<string, string>, number]> = [
          [JSON.stringify(event), {}, 1],
          [JSON.stringify([event, event]), {}, 2],
          [lines(event, '', event, event), NDJSON, 3],
          [gzipSync(JSON.stringify(Array(4).fill(event))), { 'content-encoding': 'gzip' }, 4],
          [zstdCompressSync(lines(...Array(5).fill(event))), { ...NDJSON, 'content-encoding': 'zstd' }, 5],
          ['[]', {}, 0]
        ]
        for (const [body, headers, accepted] of bodies) {
          const { status, text } = await tenant.post(path, body, headers)
          expect([stream, status, JSON.parse(text)]).toEqual([stream, 200, { accepted, rejected: [] }])
        }
        const mixed = await tenant.post(path, [broken, event, 7, { ...event, more: 1 }])
        const message = expect.any(String)
        expect([stream, mixed.status, JSON.parse(mixed.text)]).toEqual([stream, 200, {
          accepted: 1,
          rejected: [
            { index: 0, code: 'missing_field', message }, { index: 2, code: 'wrong_type', message },
            { index: 3, code: 'unknown_field', message }
          ]
        }])
        const none = await tenant.post(path, [broken, broken])
        expectProblem(none, 400, 'missing_field')
        expect(JSON.parse(none.text).rejected).toHaveLength(2)
      }
      await system().stored()
      for (const stream of Object.keys(EVENTS)) {
        expect([stream, await countIn(stream, tenant.id)]).toEqual([stream, 16])
      }
    })

    test('are the same events as those of the product\'s own route', async () => {
      const tenant = system().newTenant()
      await tenant.accepts('/events/page_views', [VIEW, { ...VIEW, timestamp: '2024-02-29T12:10:00Z' }])
      await tenant.accepts('/events/visits', EVENTS['visits']?.event)
      await tenant.accepts('/events/analytics', EVENTS['analytics']?.event)
      await tenant.accepts('/events/interactions', EVENTS['interactions']?.event)
      await tenant.accepts('/events/user_tags', tag({ cookie: 'c' }))
      await system().stored()
      expect((await tenant.json('/user/u?as_of=2024-03-01')).time_spent_on_site_last_7_days).toBe(11)
      expect((await tenant.json('/visits?dateFrom=2024-02-29&dateTo=2024-02-29')).data['/']).toHaveLength(1)
      expect((await tenant.get(`/analytics?timestamp=${Date.parse(TIME)}`)).text).toContain('clicks,1')
      expect(await tenant.json('/apps/a/pages?from=2024-02-29&to=2024-02-29')).toHaveLength(2)
      const { text } = await tenant.send({ method: 'POST', path: '/user_profiles/c?time_range=2022-03-22T00:00:00_2022-03-23T00:00:00' })
      expect(JSON.parse(text).views).toEqual([tag({ cookie: 'c' })])
    })

    test('a thousand in one request keep their order, and a broken line costs no other', async () => {
      const tenant = system().newTenant()
      const events = Array.from({ length: 998 }, (_, index) => ({ ...VIEW, name: `/${index}` }))
      const { status, text } = await tenant.post('/events/page_views', lines(VIEW, '{"user_id":', ...events), NDJSON)
      expect([status, JSON.parse(text)]).toEqual([200, {
        accepted: 999, rejected: [{ index: 1, code: 'malformed_json', message: expect.any(String) }]
      }])
      await system().stored()
      const rows = await system().millrace.sql<{ name: string }>(
        `SELECT name FROM page_views_by_user WHERE tenant = '${tenant.id}' ORDER BY timestamp, _partition, _offset`)
      expect(rows.map(({ name }) => name)).toEqual(['/', ...events.map(({ name }) => name)])
    })

    test('a body that is no batch is refused whole, with a problem and its code', async () => {
      const tenant = system().newTenant()
      for (const [what, request, refusal, code] of REFUSALS) {
        const answer = await tenant.send(request)
        expect([what, answer.status, answer.text]).toEqual([what, refusal, expect.stringContaining(`"code":"${code}"`)])
        expectProblem(answer, refusal, code)
      }
      expectProblem(await system().millrace.http.send(posting('/events/page_views', [VIEW])), 401, 'unauthorized')
      expectProblem(await system().special('reader').post('/events/page_views', [VIEW]), 403, 'forbidden')
      await system().stored()
      expect(await countIn('page_views', tenant.id)).toBe(0)
    })
  })
}
