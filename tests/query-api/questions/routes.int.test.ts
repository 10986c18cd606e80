import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MillraceError, interactions, streams as allStreams } from '../../../contract/index.ts'
import { startTestClickHouse } from '../../support/clickhouse.ts'
import { MemoryWatermark, engineClient, questionServer, store, userTagStream } from './question-server.ts'
import type { FastifyInstance } from 'fastify'
import type { Stream, UserTag } from '../../../contract/index.ts'
import type { QuestionClient } from '../../../query-api/index.ts'
import type { TestClickHouse } from '../../support/clickhouse.ts'
import type { QuestionServerOptions } from './question-server.ts'

let clickHouse: TestClickHouse
const servers: FastifyInstance[] = []
const TAG: UserTag = {
  time: '2026-03-01T12:00:30.000Z',
  cookie: 'c',
  country: 'PL',
  device: 'PC',
  action: 'BUY',
  origin: 'o',
  product_info: { product_id: 1, brand_id: 'a,"b"\n', category_id: 'k', price: 50 }
}
const RANGE = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }
const QUESTION = {
  stream: 'user_tags', measures: [{ fn: 'count' }, { fn: 'avg', field: 'price' }], group_by: ['brand_id'], time: RANGE
}

beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  await store(clickHouse, userTagStream, [TAG, { ...TAG, product_info: { ...TAG.product_info, price: 51 } }])
  await store(clickHouse, userTagStream, [{ ...TAG, cookie: 'theirs', country: 'XX' }], 'rival')
  const base = { app: 'shop', device_id: 'd', elapsed_time: 1.5, timestamp: '2026-03-01T12:00:00Z' }
  await store(clickHouse, interactions as unknown as Stream, [
    { ...base, type: 'session_start', browser: 'firefox' }, { ...base, type: 'session_start', browser: 'chrome' },
    { ...base, type: 'click', device_id: 'e' }
  ])
})
afterEach(async () => { await Promise.all(servers.splice(0).map((server) => server.close())) })
afterAll(async () => { await clickHouse?.close() })

async function start (options: Partial<QuestionServerOptions> = {}) {
  const server = await questionServer({ client: engineClient(clickHouse), ...options })
  servers.push(server)
  const post = (payload: object | string, headers: Record<string, string> = {}, url = '/query') => {
    return server.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } })
  }
  return { server, post }
}

/** What the engine reads in bytes of one of its formats. */
async function readBack (bytes: Buffer, format: 'Arrow' | 'ArrowStream'): Promise<unknown[]> {
  const directory = mkdtempSync(join(tmpdir(), 'arrow-'))
  try {
    writeFileSync(join(directory, 'rows'), bytes)
    const rows = await clickHouse.writeClient.query({
      query: 'SELECT * FROM file({path:String}, {format:String})',
      query_params: { path: join(directory, 'rows'), format },
      format: 'JSONEachRow'
    })
    return await rows.json()
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe('POST /query', () => {
  it('refuses parameters: it would leave them out without a word', async () => {
    const { post } = await start()
    const answer = await post(QUESTION, {}, '/query?limit=1')
    expect([answer.statusCode, answer.json().code, answer.json().errors[0].path]).toEqual([400, 'invalid_parameter', 'limit'])
  })

  it('answers with rows, source, what it read, and how far it reaches', async () => {
    const { post } = await start()
    const answer = await post(QUESTION)
    expect(answer.json()).toEqual({
      stream: 'user_tags',
      columns: [
        { name: 'brand_id', type: 'text' }, { name: 'count', type: 'integer' }, { name: 'avg_price', type: 'number' }
      ],
      rows: [['a,"b"\n', 2, 50.5]],
      source: 'rollup',
      reason: expect.stringContaining('rollup'),
      complete_up_to: '2026-01-01T00:00:00.000Z',
      elapsed_ms: expect.any(Number),
      rows_read: 1,
      bytes_read: expect.any(Number),
      truncated: false
    })
    expect(answer.headers['x-complete-up-to']).toBe('2026-01-01T00:00:00.000Z')
    const raw = await post({ ...QUESTION, group_by: ['cookie'] })
    expect(raw.json())
      .toMatchObject({ source: 'raw', reason: 'the rollup has no cookie to group by', rows: [['c', 2, 50.5]] })
  })

  it('answers CSV, NDJSON and Arrow with the same rows', async () => {
    const { post } = await start()
    const csv = await post(QUESTION, { accept: 'text/csv' })
    expect(csv.body).toBe('brand_id,count,avg_price\r\n"a,""b""\n",2,50.5\r\n')
    expect(csv.headers).toMatchObject({ 'x-source': 'rollup', 'x-truncated': 'false', 'x-rows-read': '1' })
    const lines = await post(QUESTION, { accept: 'application/x-ndjson' })
    expect(lines.body).toBe('{"brand_id":"a,\\"b\\"\\n","count":2,"avg_price":50.5}\n')
    for (const [type, format] of [['file', 'Arrow'], ['stream', 'ArrowStream']] as const) {
      const answer = await post(QUESTION, { accept: `application/vnd.apache.arrow.${type}` })
      expect(answer.headers['x-rows-read']).toBeUndefined()
      expect(await readBack(answer.rawPayload, format)).toEqual([{ brand_id: 'a,"b"\n', count: 2, avg_price: 50.5 }])
    }
    expect((await post(QUESTION, { accept: 'image/png' })).json()).toMatchObject({ status: 406, code: 'not_acceptable' })
  })

  it('keeps absent values apart, and lets not and != agree about them', async () => {
    const { post } = await start()
    const rows = async (filters: object, rest: object = {}) => (await post({
      stream: 'interactions', measures: [{ fn: 'count' }], time: RANGE, filters, ...rest
    })).json().rows
    const firefox = { field: 'browser', op: '=', value: 'firefox' }
    expect(await rows(firefox)).toEqual([[1]])
    expect(await rows({ not: firefox })).toEqual([[2]])
    expect(await rows({ ...firefox, op: '!=' })).toEqual([[2]])
    expect(await rows({ ...firefox, op: 'not_in', value: ['firefox'] })).toEqual([[2]])
    expect(await rows({ ...firefox, value: null })).toEqual([[1]])
    expect(await rows({ ...firefox, op: '!=', value: null })).toEqual([[2]])
    expect(await rows([], { group_by: ['browser'] })).toEqual([['chrome', 1], ['firefox', 1], [null, 1]])
    expect(await rows([], { group_by: ['browser'], top: { n: 1 } }))
      .toEqual([[null, true, 2], ['chrome', false, 1]])
    expect(await rows([{ field: 'timestamp', op: '<', value: '9999-12-31T00:00:00Z' }])).toEqual([[3]])
  })

  it('answers of no events with zeros and nulls, never with a made-up minimum', async () => {
    const { post } = await start({ tenant: 'nobody' })
    const measures = [{ fn: 'count' }, { fn: 'sum', field: 'price' }, { fn: 'min', field: 'price' },
      { fn: 'max', field: 'time' }, { fn: 'quantile', field: 'price', level: 0.5 }, { fn: 'avg', field: 'price' }]
    const empty = await post({ ...QUESTION, group_by: [], measures })
    expect(empty.json().rows).toEqual([[0, 0, null, null, null, null]])
    const filled = await post({
      ...QUESTION, group_by: [], time: { ...RANGE, bucket: '12h' }, fill: true
    })
    expect(filled.json().rows)
      .toEqual([['2026-03-01T00:00:00.000Z', 0, null], ['2026-03-01T12:00:00.000Z', 0, null]])
  })

  it('never shows what belongs to another tenant', async () => {
    const { post } = await start()
    for (const by of ['cookie', 'country', 'origin']) {
      const [own, theirs] = ['x', 'theirs'].map((value) => ({ field: 'cookie', op: '=', value }))
      const { body } = await post({ ...QUESTION, group_by: [by], filters: { or: [{ not: own }, theirs] } })
      expect(body).not.toMatch(/theirs|XX/)
    }
  })

  it('refuses before running what would read too much, with the estimate and a hint', async () => {
    const { post } = await start({ limits: { rowsReadMax: 1 } })
    const answer = await post({ ...QUESTION, group_by: ['cookie'] })
    expect(answer.json()).toMatchObject({
      status: 422, code: 'query_too_expensive', detail: expect.stringMatching(/^About [2-9] rows.*rollup/)
    })
  })

  it('tells a question that takes too long from one that is too large', async () => {
    const failing = (code: 'query_timeout' | 'query_too_large'): QuestionClient => ({
      ...engineClient(clickHouse), table: () => Promise.reject(new MillraceError(code, 'told to fail'))
    })
    for (const code of ['query_timeout', 'query_too_large'] as const) {
      const { post } = await start({ client: failing(code) })
      expect((await post(QUESTION)).json()).toMatchObject({ status: 422, code })
    }
    const never = new AbortController().signal
    const slow = { sql: 'SELECT count() FROM numbers(30000000000) WHERE cityHash64(number, number) = 1', params: {} }
    await expect(engineClient(clickHouse, 1).table(slow, never)).rejects.toMatchObject({ code: 'query_timeout' })
    const large = { sql: 'SELECT groupArray(number) FROM numbers(300000000)', params: {} }
    await expect(engineClient(clickHouse).table(large, never)).rejects.toMatchObject({ code: 'query_too_large' })
  })

  it('promises nothing where the log does not answer', async () => {
    const watermark = new MemoryWatermark()
    watermark.state = { completeUpToMs: undefined, version: undefined }
    const { post } = await start({ watermark })
    const answer = await post(QUESTION)
    expect(answer.json()).toMatchObject({ complete_up_to: null, rows: [['a,"b"\n', 2, 50.5]] })
    expect(answer.headers['x-complete-up-to']).toBeUndefined()
  })
})

describe('saved questions', () => {
  it('are fetched by their URL, and not again while nothing more is stored', async () => {
    const watermark = new MemoryWatermark()
    const { server, post } = await start({ watermark })
    const { url } = (await post(QUESTION, {}, '/queries')).json()
    const reordered = Object.fromEntries(Object.entries(QUESTION).reverse())
    expect((await post(reordered, {}, '/queries')).json().url).toBe(url)
    const get = (headers: Record<string, string> = {}) => server.inject({ method: 'GET', url, headers })
    const first = await get()
    expect(first.json().rows).toEqual([['a,"b"\n', 2, 50.5]])
    const etag = first.headers['etag'] as string
    expect((await get({ 'if-none-match': etag })).statusCode).toBe(304)
    expect((await get({ 'if-none-match': `"x", ${etag.slice(2)}` })).statusCode).toBe(304)
    expect((await get({ 'if-none-match': etag, accept: 'text/csv' })).statusCode).toBe(200)
    watermark.state = { completeUpToMs: Date.UTC(2026, 0, 2), version: 'v2' }
    const again = await get({ 'if-none-match': etag })
    expect(again.statusCode).toBe(200)
    expect(again.headers['etag']).not.toBe(etag)
    watermark.state = { completeUpToMs: undefined, version: undefined }
    expect((await get({ 'if-none-match': etag })).headers['etag']).toBeUndefined()
  })

  it('have an ETag of their tenant', async () => {
    const url = (await (await start()).post(QUESTION, {}, '/queries')).json().url as string
    const etags = await Promise.all(['default', 'rival'].map(async (tenant) => {
      return (await (await start({ tenant })).server.inject({ method: 'GET', url })).headers['etag']
    }))
    expect(etags[0]).not.toBe(etags[1])
  })

  it('are refused as POST /query refuses them', async () => {
    const { server } = await start()
    const get = async (text: string) => (await server.inject({ method: 'GET', url: `/query/${text}` })).json()
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    expect(await get('nonsense')).toMatchObject({ code: 'invalid_parameter' })
    expect(await get(`${encode(QUESTION)}=`)).toMatchObject({ code: 'invalid_parameter' })
    expect(await get(encode({ ...QUESTION, extra: 1 }))).toMatchObject({ code: 'unknown_field' })
    expect(await get(encode({ ...QUESTION, group_by: ['nothing'] }))).toMatchObject({ code: 'unknown_field' })
  })
})

it('GET /streams shows fields, operators, personal fields, tables and their retention', async () => {
  const { server } = await start()
  const { streams } = (await server.inject({ method: 'GET', url: '/streams' })).json()
  expect(streams.map(({ name }: { name: string }) => name))
    .toEqual(['user_tags', 'page_views', 'interactions', 'analytics', 'visits'])
  expect(streams[0].fields.find(({ name }: { name: string }) => name === 'cookie'))
    .toMatchObject({ personal: true, type: 'text', groupable: true, functions: ['uniq', 'uniq_approx'] })
  const listed = streams.flatMap((stream: { tables: Array<{ name: string }> }) => {
    return stream.tables.map(({ name }) => name)
  })
  expect(listed.toSorted()).toEqual(allStreams.flatMap(({ tables }) => Object.values(tables)).toSorted())
  expect(streams[4].tables).toEqual([
    { name: 'visits', kind: 'raw', personal: true, retention_days: 400 },
    { name: 'visits_by_minute', kind: 'by_minute', personal: false, retention_days: 400 },
    { name: 'visits_by_time', kind: 'by_time', personal: false, retention_days: 400 }
  ])
})
