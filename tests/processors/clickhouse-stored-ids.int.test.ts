import { afterAll, beforeAll, expect, test } from 'vitest'
import { streams } from '../../contract/index.ts'
import { insertBatch } from '../../clickhouse/index.ts'
import { createClickHouseStoredIds } from '../../processors/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { MemoryStoredIds } from '../support/memory-stored-ids.ts'
import { userTagRows } from '../clickhouse/user-tag-rows.ts'
import type { Row } from '../../contract/index.ts'
import type { StoredId, StoredIds, StoredRange } from '../../processors/index.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const ROWS = 6_000
/** Of late: what arrived long ago has expired. */
const START_MS = Date.now() - ROWS * 20_000
const ORIGINS = ['SERVER', 'BODY', 'HEADER', 'SPOOL']
const HOSTILE = ["') OR 1=1 --", '\\', "\\'", '{x:String}', '\t\n', 'ключ', '']
const signal = new AbortController().signal

let clickHouse: TestClickHouse
let inTable: StoredIds
let inMemory: StoredIds

/** Two partitions of the log, a row a second, over more than one day of arrival. */
function rowOf (row: Row, number: number): Row {
  return {
    ...row,
    cookie: `cookie ${number % 50}`,
    tenant: number % 3 === 0 ? 'acme' : 'default',
    event_id: `${HOSTILE[number % HOSTILE.length] ?? ''}${Math.trunc(number / 8)} ${'x'.repeat(60)}`,
    event_id_origin: ORIGINS[number % ORIGINS.length],
    received_at: new Date(START_MS + number * 20_000).toISOString().slice(0, -1).replace('T', ' '),
    _partition: number % 2,
    _offset: number
  }
}

beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  const rows = userTagRows(0, ROWS).map(rowOf)
  const client = clickHouse.writeClient
  await insertBatch({ client, table: 'user_tags', rows, token: 'all' })
  inTable = createClickHouseStoredIds({ client, table: 'user_tags', subject: 'cookie' })
  inMemory = new MemoryStoredIds({ rows: () => rows, subject: 'cookie' })
})
afterAll(() => clickHouse.close())

const RANGE: StoredRange = {
  partition: 1, below: 5_000, fromMs: START_MS + 200 * 20_000, toMs: START_MS + 4_900 * 20_000
}
const textOf = ({ tenant, subject, eventId, receivedAtMs }: StoredId): string => {
  return JSON.stringify([tenant, subject, eventId, receivedAtMs])
}

async function newest (storedIds: StoredIds, range: StoredRange, limit: number): Promise<StoredId[]> {
  const found: StoredId[] = []
  for await (const part of storedIds.newest(range, limit, signal)) found.push(...part)
  return found
}

test('the newest ids are those of the range, below the offset, of one partition, not the server’s', async () => {
  const wanted = await newest(inMemory, RANGE, ROWS)
  expect(wanted.length).toBeGreaterThan(1_000)
  expect(wanted.length).toBeLessThan(ROWS / 2)
  expect((await newest(inTable, RANGE, ROWS)).map(textOf)).toEqual(wanted.map(textOf))
  expect((await newest(inTable, RANGE, 10)).map(textOf)).toEqual(wanted.slice(0, 10).map(textOf))
})

test('every wanted id is found, however many there are and whatever they hold', async () => {
  const wanted = await newest(inMemory, { ...RANGE, below: ROWS }, ROWS)
  const found = await inTable.find(RANGE, wanted, signal)
  const stored = await newest(inMemory, RANGE, ROWS)
  expect(new Set(found.map(textOf))).toEqual(new Set(stored.map(textOf)))
  expect(await inTable.find(RANGE, [{ tenant: 'acme', subject: 'cookie 1', eventId: 'none' }], signal)).toEqual([])
})

test('a range beyond the times of a table is cut to them', async () => {
  const range = { partition: 0, below: ROWS, fromMs: -1_000, toMs: Number.MAX_SAFE_INTEGER }
  expect(await newest(inTable, range, ROWS)).toHaveLength((await newest(inMemory, range, ROWS)).length)
})

test('an aborted look-up rejects, and so does one that the table cannot answer', async () => {
  await expect(inTable.find(RANGE, [], AbortSignal.abort())).resolves.toEqual([])
  const wanted = [{ tenant: 't', subject: 's', eventId: 'e' }]
  await expect(inTable.find(RANGE, wanted, AbortSignal.abort())).rejects.toThrow()
  const nowhere = createClickHouseStoredIds({ client: clickHouse.writeClient, table: 'none', subject: 'cookie' })
  await expect(nowhere.find(RANGE, wanted, signal)).rejects.toThrow()
  await expect(newest(nowhere, RANGE, 1)).rejects.toThrow()
})

test('the raw table of every stream can be asked', async () => {
  const client = clickHouse.writeClient
  for (const { tables, subject } of streams) {
    const storedIds = createClickHouseStoredIds({ client, table: tables.raw, subject })
    const wanted = [{ tenant: 't', subject: 's', eventId: 'e' }]
    expect(await storedIds.find(RANGE, wanted, signal)).toEqual([])
    expect(await newest(storedIds, { ...RANGE, partition: 7 }, 1)).toEqual([])
  }
})

test('a retried dead letter is found whatever subject it is wanted for', async () => {
  const { writeClient: client } = clickHouse
  const eventId = 'dead-letter:user_tags-1-7'
  const row: Row = {
    ...rowOf(userTagRows(0, 1)[0] as Row, 1_001), event_id: eventId, event_id_origin: 'HEADER', cookie: 'anna'
  }
  await insertBatch({ client, table: 'user_tags', rows: [row], token: 'retry' })
  const wanted = [{ tenant: String(row['tenant']), subject: 'bertha', eventId }]
  expect(await inTable.find(RANGE, wanted, signal)).toMatchObject([{ subject: 'anna', eventId }])
})
