import { describe, expect, test } from 'vitest'
import { analytics } from '../../contract/index.ts'
import { ARRIVAL_MS, buildIngest, metricValue } from '../support/ingest-server.ts'
import { failOn } from '../support/memory-log.ts'
import type { InjectOptions } from 'fastify'

const GOOD = '/analytics?timestamp=1224567997&user=u1&event=click'

function post (url: string, options: Partial<InjectOptions> = {}): InjectOptions {
  return { ...options, method: 'POST', url }
}

describe('an analytics event', () => {
  test.each([
    ['1224567997', 1224567997000], ['1224567997123', 1224567997123], ['99999999', 99999999000],
    ['100000000000', 100000000000], ['0', 0]
  ])('at timestamp %s happened at %d ms', async (timestamp, ms) => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post(`/analytics?timestamp=${timestamp}&user=u1&event=impression`))
    expect([response.statusCode, response.body]).toEqual([204, ''])
    expect(await ingest.storedIn(analytics)).toEqual([{
      timestamp: ms, user: 'u1', event: 'impression', time_text: null, event_id: 'id-1', event_id_origin: 'SERVER', tenant: 'default'
    }])
    expect(ingest.log.records()).toMatchObject([{ timestampMs: ARRIVAL_MS }])
  })

  test('may name itself, in the query or the header; other parameters are ignored', async () => {
    const ingest = await buildIngest()
    await ingest.server.inject(post(`${GOOD}&event_id=q&_=1&__proto__=x`))
    await ingest.server.inject(post(GOOD, { headers: { 'idempotency-key': 'h' } }))
    expect(await ingest.storedIn(analytics)).toMatchObject([
      { event_id: 'q', event_id_origin: 'BODY' }, { event_id: 'h', event_id_origin: 'HEADER' }
    ])
  })

  const json = { 'content-type': 'application/json' }
  test.each<[string, Partial<InjectOptions>]>([
    ['malformed JSON', { payload: '{', headers: json }],
    ['an empty JSON body', { payload: '', headers: json }],
    ['text', { payload: 'x', headers: { 'content-type': 'text/plain' } }],
    ['a type that is none', { payload: 'x', headers: { 'content-type': '///' } }],
    ['bytes without a type', { payload: Buffer.from([0, 255, 254]) }],
    ['an unknown encoding', { payload: 'x', headers: { 'content-encoding': 'nope' } }],
    ['4 MiB', { payload: Buffer.alloc(4 * 1024 * 1024, 'x'), headers: json }]
  ])('is taken whatever its body is: %s', async (_name, options) => {
    const ingest = await buildIngest()
    expect((await ingest.server.inject(post(GOOD, options))).statusCode).toBe(204)
    expect(await ingest.storedIn(analytics)).toHaveLength(1)
  })
})

describe('what is no analytics event', () => {
  test.each([
    ['/analytics', 'missing_field'],
    ['/analytics?timestamp=1&user=u', 'missing_field'],
    ['/analytics?timestamp=1&event=click', 'missing_field'],
    ['/analytics?user=u&event=click', 'missing_field'],
    ['/analytics?timestamp=&user=u&event=click', 'invalid_time'],
    ['/analytics?timestamp=1.5&user=u&event=click', 'invalid_time'],
    ['/analytics?timestamp=-1&user=u&event=click', 'invalid_time'],
    ['/analytics?timestamp=1e9&user=u&event=click', 'invalid_time'],
    ['/analytics?timestamp=2022-03-22T12:15:00Z&user=u&event=click', 'invalid_time'],
    ['/analytics?timestamp=99999999999&user=u&event=click', 'out_of_range'],
    ['/analytics?timestamp=99999999999999999999&user=u&event=click', 'out_of_range'],
    ['/analytics?timestamp=1&user=&event=click', 'invalid_text'],
    ['/analytics?timestamp=1&user=%00&event=click', 'invalid_text'],
    [`/analytics?timestamp=1&user=${'x'.repeat(1025)}&event=click`, 'invalid_text'],
    ['/analytics?timestamp=1&user=u&event=CLICK', 'unknown_value'],
    ['/analytics?timestamp=1&user=u&event=', 'unknown_value'],
    ['/analytics?timestamp=1&user=u&user=v&event=click', 'invalid_parameter'],
    ['/analytics?timestamp=1&timestamp=1&user=u&event=click', 'invalid_parameter'],
    ['/analytics?timestamp=1&user=u&event=click&event_id=', 'invalid_text'],
    ['/analytics?%E0%A4%A=%&&&==', 'missing_field']
  ])('%s is answered 204, goes into the log as it came, and is counted', async (url, code) => {
    const ingest = await buildIngest({}, {}, { tenant: 'acme', scopes: ['ingest'] })
    const response = await ingest.server.inject(post(url, { payload: 'the body', headers: { 'content-type': '!' } }))
    expect([response.statusCode, response.body]).toEqual([204, ''])
    const [record] = ingest.log.records()
    // Where it names one user, that one's erasure finds it.
    const users = [...url.matchAll(/[?&]user=([^&]*)/g)].map((match) => decodeURIComponent(match[1] ?? ''))
    const subject = users.length === 1 && (users[0] ?? '').length <= 1024 ? users[0] : ''
    expect(record).toMatchObject({ key: Buffer.from(`4:acme${subject}`), timestampMs: ARRIVAL_MS })
    const detail = expect.stringMatching(/\w/)
    expect(await ingest.decode(analytics)).toEqual([{ ok: false, reason: 'rejected_at_ingest', detail }])
    expect(JSON.parse(record?.value.toString('utf8', 2) ?? '')).toEqual({
      detail, request: `POST ${url}\n\nthe body`
    })
    const sample = `millrace_events_rejected_total{stream="analytics",code="${code}"}`
    expect(await metricValue(ingest.registry, sample)).toBe(1)
  })

  test('may have a bad Idempotency-Key', async () => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post(GOOD, { headers: { 'idempotency-key': 'x'.repeat(129) } }))
    expect(response.statusCode).toBe(204)
    expect(await ingest.decode(analytics)).toMatchObject([{ ok: false, detail: expect.stringContaining('Idempotency-Key') }])
  })

  test('is kept with no more than the first 8 KiB of its body', async () => {
    const ingest = await buildIngest()
    await ingest.server.inject(post('/analytics', { payload: Buffer.alloc(4 * 1024 * 1024, 'x') }))
    expect(ingest.log.records()[0]?.value.length).toBeLessThan(9 * 1024)
  })
})

test('a log that does not answer is 503, whatever was sent', async () => {
  for (const url of [GOOD, '/analytics']) {
    const { server } = await buildIngest({}, { failure: failOn(1) })
    const response = await server.inject(post(url))
    expect([response.statusCode, response.json().code]).toEqual([503, 'log_unavailable'])
    expect(response.headers['retry-after']).toBe('1')
  }
})
