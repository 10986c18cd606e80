import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDecoder, encodeRejected, userTags } from '../../contract/index.ts'
import { identityKey } from '../../processors/identity-key.ts'
import { insertBatch } from '../../clickhouse/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { createMemoryLog, failOn } from '../support/memory-log.ts'
import { LOG_RETENTION_MS, TAG, lettersServer, storeLetters, tagBytes, tenantKey } from './letters-server.ts'
import type { TestClickHouse, TestDatabase } from '../support/clickhouse.ts'
import type { EventIdentity } from '../../processors/index.ts'
import type { MemoryLog } from '../support/memory-log.ts'
import type { TestLetter } from './letters-server.ts'

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse.close())

const GARBAGE = Buffer.from([1, 2, 3])

async function start (letters: TestLetter[], log = createMemoryLog(), now = Date.now) {
  const database = await clickHouse.freshDatabase()
  const ids = await storeLetters(database, letters)
  return { database, log, ids, ...await lettersServer(database, log, now) }
}

/** The records in the log, as the processors read them. */
async function recordsIn (log: MemoryLog) {
  const decoded = await createDecoder(userTags).decode(log.records().map(({ value }) => value))
  return decoded.map((each) => {
    if (!each.ok) throw new Error(each.detail)
    return each.record
  })
}

async function storeTag (
  { writeClient }: TestDatabase, eventId: string, receivedAtMs = Date.now()
): Promise<void> {
  const record = userTags.toRecord(TAG, { tenant: 'default', eventId, eventIdOrigin: 'HEADER' })
  const rows = [userTags.toRow(record, { partition: 3, offset: 77, receivedAtMs })]
  await insertBatch({ client: writeClient, table: 'user_tags', rows, token: eventId })
}

test('letters are listed newest first, page by page, by stream, reason, state and arrival', async () => {
  const arrivedMs = Date.now() - 3_600_000
  const { get, post, ids } = await start(await Promise.all(Array.from({ length: 7 }, async (_, offset) => ({
    offset,
    value: await tagBytes(),
    reason: offset < 3 ? 'bad_bytes' : 'invalid_record',
    receivedAtMs: arrivedMs + Math.floor(offset / 2)
  }))))
  const listed: string[] = []
  for (let cursor = ''; ;) {
    const { body } = await get(`/dead-letters?limit=3${cursor}`)
    listed.push(...body.dead_letters.map(({ id }: { id: string }) => id))
    if (body.next_cursor === null) break
    cursor = `&cursor=${encodeURIComponent(body.next_cursor)}`
  }
  expect(listed).toEqual(ids.toReversed())
  const count = async (query: string) => (await get(`/dead-letters?${query}`)).body.dead_letters.length
  expect(await count('reason=bad_bytes&stream=user_tags')).toBe(3)
  expect(await count('stream=visits')).toBe(0)
  expect(await count(`from=${new Date(arrivedMs + 1).toISOString()}&to=${new Date(arrivedMs + 3).toISOString()}`)).toBe(4)
  await post(`/dead-letters/${ids[0]}/retry`)
  expect([await count('state=retried'), await count('state=open')]).toEqual([1, 6])
})

test('a letter is shown with its bytes, and decoded as far as it can be', async () => {
  const rejected = encodeRejected({ detail: 'user: missing', request: 'POST /analytics?event=click' })
  const { get } = await start([
    { offset: 0, value: await tagBytes() }, { offset: 1, value: GARBAGE, key: Buffer.from([255, 0]) },
    { offset: 2, value: rejected, stream: 'analytics', key: tenantKey('default'), reason: 'rejected_at_ingest' }
  ])
  expect((await get('/dead-letters/user_tags-0-0')).body).toMatchObject({
    id: 'user_tags-0-0',
    state: 'open',
    retried: null,
    event: TAG,
    event_id: 'e',
    retry_of: null,
    undecodable: null,
    key: { tenant: 'default', subject: 'c' },
    value_base64: (await tagBytes()).toString('base64')
  })
  expect((await get('/dead-letters/user_tags-0-1')).body).toMatchObject({
    event: null, undecodable: 'no known framing', key: { tenant: 'default', subject: null, base64: '/wA=' }
  })
  expect((await get('/dead-letters/analytics-0-2')).body).toMatchObject({
    event: null, rejected_request: 'POST /analytics?event=click', undecodable: 'user: missing'
  })
  expect(await get('/dead-letters/user_tags-0-9')).toMatchObject({ status: 404, body: { code: 'dead_letter_not_found' } })
})

test('a retry sends the letter as it is, under a name of its own, marks it, and is refused a second time', async () => {
  const { get, post, log, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }])
  const preview = await post(`/dead-letters/${id}/retry?dry_run=true`)
  expect(preview).toMatchObject({ status: 200, body: { event: TAG, state: 'open', dry_run: true } })
  expect(log.records()).toEqual([])
  const first = await post(`/dead-letters/${id}/retry`)
  expect(first).toMatchObject({
    status: 200, body: { state: 'retried', event: TAG, retried: { topic: 'user_tags', partition: 0, offset: 0, corrected: false } }
  })
  expect(await recordsIn(log)).toMatchObject([
    { cookie: 'c', event_id: `dead-letter:${id}`, event_id_origin: 'HEADER', tenant: 'default' }
  ])
  expect(log.records()[0]?.key).toEqual(tenantKey('default', 'c'))
  expect((await get(`/dead-letters/${id}`)).body).toMatchObject({ state: 'retried', retried: first.body.retried })
  expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({ status: 409, body: { code: 'already_retried' } })
  expect(log.records()).toHaveLength(1)
})

test('what holds no event is retried with the event that it should have been, which must be valid', async () => {
  const { post, log, ids: [id] } = await start([{ offset: 0, value: GARBAGE }])
  expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({ status: 422, body: { code: 'dead_letter_undecodable' } })
  const wrong = await post(`/dead-letters/${id}/retry`, { ...TAG, action: 'SELL' })
  expect(wrong).toMatchObject({ status: 400, body: { code: 'unknown_value', errors: [{ path: '/action' }] } })
  const answer = await post(`/dead-letters/${id}/retry`, { ...TAG, cookie: 'mended', event_id: 'mine' })
  expect(answer).toMatchObject({ status: 200, body: { retried: { corrected: true } } })
  expect(await recordsIn(log)).toMatchObject([{ cookie: 'mended', event_id: `dead-letter:${id}` }])
})

test('a record that could not be stored after a retry names the letter that it was', async () => {
  const encoded = createMemoryLog()
  const { post, get, database, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }], encoded)
  await post(`/dead-letters/${id}/retry`)
  await storeLetters(database, [{ offset: 8, value: encoded.records()[0]?.value as Buffer }])
  expect((await get('/dead-letters/user_tags-0-8')).body).toMatchObject({ state: 'open', retry_of: id })
})

test('of many retries at once one is sent', async () => {
  const { post, log, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }])
  const answers = await Promise.all(Array.from({ length: 5 }, () => post(`/dead-letters/${id}/retry`)))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409])
  expect(log.records()).toHaveLength(1)
})

test('two processes that send corrections of one letter at once put both where one owner stores the first', async () => {
  const { database, log, post, ids: [id] } = await start([{ offset: 0, value: GARBAGE, partition: 3 }])
  const other = await lettersServer(database, log)
  log.hold(true)
  const answers = Promise.all([
    post(`/dead-letters/${id}/retry`, { ...TAG, cookie: 'anna' }),
    other.post(`/dead-letters/${id}/retry`, { ...TAG, cookie: 'bertha' })
  ])
  await expect.poll(log.begun).toBe(2)
  log.hold(false)
  await answers
  expect(log.records().map(({ partition }) => partition)).toEqual([3, 3])
  const [one, two] = (await recordsIn(log)).map((record) => {
    return { tenant: 'default', subject: String(record['cookie']), eventId: String(record['event_id']) }
  })
  expect(new Set([one?.subject, two?.subject])).toEqual(new Set(['anna', 'bertha']))
  expect(identityKey(one as EventIdentity)).toBe(identityKey(two as EventIdentity))
})

test('of two processes that retry one letter at once the one that comes second in the log says so', async () => {
  const { database, log, get, post, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }])
  const late = createMemoryLog()
  const append = late.append
  const other = await lettersServer(database, {
    ...late,
    append: async (topic, records) => {
      await append(topic, records)
      return await log.append(topic, records)
    }
  })
  late.hold(true)
  const second = other.post(`/dead-letters/${id}/retry`, { ...TAG, cookie: 'bertha' })
  await expect.poll(late.begun).toBe(1)
  const first = await post(`/dead-letters/${id}/retry`)
  late.hold(false)
  expect(first).toMatchObject({ status: 200, body: { state: 'retried', retried: { offset: 0 } } })
  expect(await second).toMatchObject({ status: 409, body: { code: 'already_retried' } })
  expect(log.records()).toHaveLength(2)
  expect((await get(`/dead-letters/${id}`)).body).toMatchObject({ state: 'retried', retried: first.body.retried })
})

test('a repeated attempt arrives when the first one did, hours ago: not too late to be its copy', async () => {
  const log = createMemoryLog({ failure: failOn(1) })
  let nowMs = Date.now()
  const { post, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }], log, () => nowMs)
  const firstMs = nowMs
  await post(`/dead-letters/${id}/retry`)
  nowMs += 5 * 3_600_000
  expect((await post(`/dead-letters/${id}/retry`)).status).toBe(200)
  expect(log.records().map(({ timestampMs }) => timestampMs)).toEqual([firstMs])
})

test('a repeated attempt arrives now where the log could delete it as old before it is read', async () => {
  const log = createMemoryLog({ failure: failOn(1) })
  let nowMs = Date.now()
  const { post, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }], log, () => nowMs)
  await post(`/dead-letters/${id}/retry`)
  nowMs += LOG_RETENTION_MS / 2 + 1
  await post(`/dead-letters/${id}/retry`)
  expect(log.records().map(({ timestampMs }) => timestampMs)).toEqual([nowMs])
})

test('an attempt whose outcome is unknown may be repeated, under the same name', async () => {
  const log = createMemoryLog({ failure: failOn(1) })
  const { get, post, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }], log)
  expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({ status: 503, body: { code: 'log_unavailable' } })
  expect((await get('/dead-letters?state=retrying')).body.dead_letters).toHaveLength(1)
  expect((await post(`/dead-letters/${id}/retry`)).status).toBe(200)
  expect(await recordsIn(log)).toMatchObject([{ event_id: `dead-letter:${id}` }])
})

test('an attempt whose event was stored after all is not sent again, however long ago it was', async () => {
  const log = createMemoryLog({ failure: failOn(1) })
  const { database, get, post, ids: [id] } = await start([{ offset: 0, value: await tagBytes() }], log)
  await post(`/dead-letters/${id}/retry`)
  await storeTag(database, `dead-letter:${id}`)
  expect((await post(`/dead-letters/${id}/retry`)).status).toBe(409)
  expect(log.records()).toEqual([])
  const { body } = await get(`/dead-letters/${id}`)
  expect(body).toMatchObject({ state: 'retried', retried: { partition: 3, offset: 77 } })
})

test('an event of an attempt is found by the time that it arrived with, to the millisecond', async () => {
  const arrivals: number[] = []
  const log = createMemoryLog({
    failure: (append, records) => {
      arrivals.push(...records.map(({ timestampMs }) => timestampMs))
      return failOn(1)(append, records)
    }
  })
  let nowMs = Date.now()
  const letter = { offset: 0, value: await tagBytes() }
  const { database, post, ids: [id] } = await start([letter], log, () => nowMs++)
  await post(`/dead-letters/${id}/retry`)
  await storeTag(database, `dead-letter:${id}`, arrivals[0])
  expect((await post(`/dead-letters/${id}/retry`)).status).toBe(409)
})

test('a bulk retry sends the oldest of a filter, and says which it could not', async () => {
  const now = Date.now()
  const { post, log } = await start([
    ...await Promise.all([0, 1, 2, 3].map(async (offset) => {
      return { offset, value: await tagBytes({ ...TAG, cookie: `c${offset}` }), receivedAtMs: now - 60_000 + offset }
    })),
    { offset: 4, value: GARBAGE, receivedAtMs: now - 1000 }
  ])
  expect((await post('/dead-letters/retry?dry_run=true')).body).toEqual({
    matched: 5,
    retried: 0,
    failed: [{ id: 'user_tags-0-4', code: 'dead_letter_undecodable', message: expect.any(String) }],
    more: false,
    dry_run: true
  })
  expect((await post('/dead-letters/retry?limit=3&reason=bad_bytes')).body).toMatchObject({ matched: 3, retried: 3, more: true })
  expect((await recordsIn(log)).map(({ cookie }) => cookie)).toEqual(['c0', 'c1', 'c2'])
  expect(log.batches).toHaveLength(1)
  expect((await post('/dead-letters/retry')).body).toMatchObject({ matched: 2, retried: 1 })
})

test('nobody sees or retries the letters of another organisation; those of nobody are the standard one\'s', async () => {
  const { get, post, log } = await start([
    { offset: 0, value: await tagBytes(TAG, 'acme'), key: tenantKey('acme', 'c') },
    { offset: 1, value: GARBAGE, key: Buffer.from('no key of ours') },
    // A key that claims a longer name than it has.
    { offset: 2, value: GARBAGE, key: Buffer.from('9:acme') }
  ])
  const listed = async (tenant: string) => {
    return (await get('/dead-letters', tenant)).body.dead_letters.map(({ offset }: { offset: number }) => offset)
  }
  expect([await listed('acme'), await listed('default'), await listed('globex')]).toEqual([[0], [2, 1], []])
  for (const tenant of ['default', 'globex']) {
    expect((await get('/dead-letters/user_tags-0-0', tenant)).status).toBe(404)
    expect((await post('/dead-letters/user_tags-0-0/retry', undefined, tenant)).status).toBe(404)
  }
  expect((await post('/dead-letters/retry', undefined, 'globex')).body.matched).toBe(0)
  expect((await post('/dead-letters/user_tags-0-0/retry', TAG, 'acme')).status).toBe(200)
  expect(await recordsIn(log)).toMatchObject([{ tenant: 'acme' }])
})

test.each([
  ['state=gone', 'invalid_parameter'], ['limit=0', 'invalid_limit'], ['from=today', 'invalid_time'],
  ['cursor=x', 'invalid_parameter'], ['tenant=acme', 'invalid_parameter'], ['stream=orders', 'invalid_parameter']
])('?%s is refused with %s', async (query, code) => {
  const { get, close } = await lettersServer(clickHouse, createMemoryLog())
  expect(await get(`/dead-letters?${query}`)).toMatchObject({ status: 400, body: { code } })
  await close()
})
