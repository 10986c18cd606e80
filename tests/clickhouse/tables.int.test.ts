import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertBatch } from '../../clickhouse/index.ts'
import { streams, toDateTime, userTags } from '../../contract/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { ARRIVED_MS, userTagRows } from './user-tag-rows.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse.close())

async function rows<T> (query: string, params: Record<string, unknown> = {}): Promise<T[]> {
  const result = await clickHouse.writeClient.query({
    query, query_params: { database: clickHouse.config.database, ...params }, format: 'JSONEachRow'
  })
  return result.json<T>()
}

async function columns (table: string): Promise<Record<string, string>> {
  const found = await rows<{ name: string, type: string }>(
    'SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position',
    { table })
  return Object.fromEntries(found.map(({ name, type }) => [name, type]))
}

test.each(streams.map((stream) => [stream.name, stream] as const))(
  'the tables of %s that hold personal rows have exactly the columns of the contract', async (_, stream) => {
    for (const table of stream.personalTables) expect(await columns(table)).toEqual(stream.rawColumns)
  })

test('the rollup holds no subject', async () => {
  expect(Object.keys(await columns('user_tags_by_minute'))).not.toContain(userTags.subject)
})

test('every table that an insert reaches remembers tokens, expires by arrival in whole parts', async () => {
  const found = await rows<{ name: string, ddl: string }>(
    `SELECT name, create_table_query AS ddl FROM system.tables
    WHERE database = {database:String} AND engine LIKE '%MergeTree' AND name != 'schema_migrations'`)
  expect(found.length).toBeGreaterThanOrEqual(5)
  for (const { name, ddl } of found) {
    expect([name, /replicated_deduplication_window = 10000/.test(ddl)]).toEqual([name, true])
    // Erasures are kept for good.
    if (['erasures', 'erasure_tables'].includes(name)) continue
    expect([name, /ttl_only_drop_parts = 1/.test(ddl)]).toEqual([name, true])
    const byArrival = /TTL (toDateTime\((last_)?received_at\)|received_date) \+ /
    expect([name, byArrival.test(ddl)]).toEqual([name, true])
  }
})

test('the views copy each event by cookie and count it by minute', async () => {
  await insertBatch({ client: clickHouse.writeClient, table: 'user_tags', rows: userTagRows(0, 120), token: 'views' })
  const differing = await rows('SELECT * FROM user_tags EXCEPT SELECT * FROM user_tags_by_cookie')
  expect(differing).toEqual([])
  const minutes = await rows(`SELECT minute, action, toUInt32(sum(count)) AS n, toInt32(sum(sum_price)) AS price
    FROM user_tags_by_minute GROUP BY minute, action ORDER BY minute, action`)
  expect(minutes).toEqual(await rows(`SELECT toStartOfMinute(time) AS minute, action, toUInt32(count()) AS n, toInt32(sum(price)) AS price
    FROM user_tags GROUP BY minute, action ORDER BY minute, action`))
  expect(minutes).toHaveLength(4)
})

test('a price that sums beyond 32 bits is summed in 64', async () => {
  const { writeClient } = await clickHouse.freshDatabase()
  const large = userTagRows(0, 10).map((row) => ({ ...row, price: 2_147_483_647 }))
  await insertBatch({ client: writeClient, table: 'user_tags', rows: large, token: 'large' })
  const result = await writeClient.query({
    query: 'SELECT toString(sum(sum_price)) AS price FROM user_tags_by_minute', format: 'JSONEachRow'
  })
  expect(await result.json()).toEqual([{ price: '21474836470' }])
})

test('a dead letter keeps any bytes of key and value', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
  await insertBatch({
    client: clickHouse.writeClient,
    table: 'dead_letters',
    token: 'dead-letter',
    rows: [{
      id: 'user_tags-0-7',
      stream: 'user_tags',
      topic: 'user_tags',
      partition: 0,
      offset: 7,
      key_base64: bytes.toString('base64'),
      value_base64: bytes.toString('base64'),
      reason: 'undecodable',
      detail: 'not Avro',
      received_at: toDateTime(ARRIVED_MS)
    }]
  })
  expect(await rows('SELECT hex(key) AS key, hex(value) AS value, state, reason FROM dead_letters')).toEqual([
    { key: bytes.toString('hex').toUpperCase(), value: bytes.toString('hex').toUpperCase(), state: 'open', reason: 'undecodable' }
  ])
})

test('a batch row is stored once for each token', async () => {
  const batch = {
    stream: 'user_tags',
    topic: 'user_tags',
    partition: 0,
    first_offset: 0,
    last_offset: 9,
    token: 'user_tags-0-0-10',
    stored: 8,
    dead_lettered: 1,
    duplicates: 1,
    erased: 0,
    first_received_at: toDateTime(ARRIVED_MS),
    last_received_at: toDateTime(ARRIVED_MS + 1000)
  }
  for (let round = 0; round < 2; round++) {
    await insertBatch({ client: clickHouse.writeClient, table: 'batches', rows: [batch], token: batch.token })
  }
  expect(await rows('SELECT token, toUInt32(stored + dead_lettered + duplicates + erased) AS records FROM batches')).toEqual([
    { token: batch.token, records: 10 }
  ])
})

test('a lightweight delete hides a shopper from both tables, and applying its mask removes the rows', async () => {
  const { writeClient, config } = await clickHouse.freshDatabase()
  await insertBatch({ client: writeClient, table: 'user_tags', rows: userTagRows(0, 100), token: 'erase' })
  for (const table of userTags.personalTables) {
    await writeClient.command({ query: `DELETE FROM ${table} WHERE cookie = {cookie:String}`, query_params: { cookie: 'cookie3' } })
    const left = await writeClient.query({ query: `SELECT toUInt32(countIf(cookie = 'cookie3')) AS gone, toUInt32(count()) AS kept FROM ${table}`, format: 'JSONEachRow' })
    expect(await left.json()).toEqual([{ gone: 0, kept: 98 }])
    await writeClient.command({
      query: `ALTER TABLE ${table} APPLY DELETED MASK`, clickhouse_settings: { mutations_sync: '1' }
    })
    const parts = await writeClient.query({
      query: `SELECT toUInt32(sum(rows)) AS stored FROM system.parts
        WHERE active AND database = {database:String} AND table = {table:String}`,
      query_params: { database: config.database, table },
      format: 'JSONEachRow'
    })
    expect(await parts.json()).toEqual([{ stored: 98 }])
  }
})
