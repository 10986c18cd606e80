import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { classifyFault, createMigrationClient, createWriteClient, insertBatch, migrate } from '../../clickhouse/index.ts'
import { startServerProcess, startTestClickHouse, testConfig } from '../support/clickhouse.ts'
import { toDateTime } from '../../contract/index.ts'
import { ARRIVED_MS, userTagRows } from './user-tag-rows.ts'
import type { ClickHouseClient } from '../../clickhouse/index.ts'
import type { TestClickHouse, TestDatabase } from '../support/clickhouse.ts'

const DAY_MS = 86_400_000

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse.close())

/** Rows, distinct events and sums of the raw table and of what its two views filled. */
async function totals (client: ClickHouseClient): Promise<Record<string, number>> {
  const result = await client.query({
    query: `SELECT
      (SELECT toUInt32(count()) FROM user_tags) AS raw,
      (SELECT toUInt32(uniqExact(event_id)) FROM user_tags) AS events,
      (SELECT toUInt32(count()) FROM user_tags_by_cookie) AS by_cookie,
      (SELECT toUInt32(uniqExact(event_id)) FROM user_tags_by_cookie) AS by_cookie_events,
      (SELECT toUInt32(sum(count)) FROM user_tags_by_minute) AS by_minute,
      (SELECT toUInt32(sum(price)) FROM user_tags) AS price,
      (SELECT toUInt32(sum(sum_price)) FROM user_tags_by_minute) AS by_minute_price`,
    format: 'JSONEachRow'
  })
  const [row] = await result.json<Record<string, number>>()
  return row ?? {}
}

function totalsOf (count: number): Record<string, number> {
  const price = count * (count - 1) / 2
  return {
    raw: count,
    events: count,
    by_cookie: count,
    by_cookie_events: count,
    by_minute: count,
    price,
    by_minute_price: price
  }
}

type Database = Pick<TestDatabase, 'writeClient'>

function insert ({ writeClient: client }: Database, first: number, count: number, token: string) {
  return insertBatch({ client, table: 'user_tags', rows: userTagRows(first, count), token })
}

test('a repeated token is dropped in the table and in both views', async () => {
  const database = await clickHouse.freshDatabase()
  await insert(database, 0, 1000, 'topic-0-0-1000')
  await insert(database, 0, 1000, 'topic-0-0-1000')
  await insert(database, 1000, 500, 'topic-0-1000-1500')
  await insert(database, 0, 1000, 'topic-0-0-1000')
  expect(await totals(database.writeClient)).toEqual(totalsOf(1500))
})

test('a token sent four times at once is stored once', async () => {
  const database = await clickHouse.freshDatabase()
  await Promise.all([1, 2, 3, 4].map(() => insert(database, 0, 2000, 'at-once')))
  expect(await totals(database.writeClient)).toEqual(totalsOf(2000))
})

test('a batch whose arrivals span days and weeks is one batch: repeated, it is dropped as a whole', async () => {
  const database = await clickHouse.freshDatabase()
  const spread = userTagRows(0, 40).map((row, index) => ({
    ...row, received_at: toDateTime(ARRIVED_MS - index % 20 * DAY_MS)
  }))
  for (let round = 0; round < 3; round++) {
    await insertBatch({ client: database.writeClient, table: 'user_tags', rows: spread, token: 'spread' })
  }
  expect(await totals(database.writeClient)).toEqual(totalsOf(40))
})

test('a batch of the largest size is one block in each table', async () => {
  const database = await clickHouse.freshDatabase()
  const offsets = userTagRows(0, 50_000)
  await insertBatch({ client: database.writeClient, table: 'user_tags', rows: offsets, token: 'largest' })
  await insertBatch({ client: database.writeClient, table: 'user_tags', rows: offsets, token: 'largest' })
  const stored = await totals(database.writeClient)
  expect(stored).toMatchObject({ raw: 50_000, by_cookie: 50_000, by_minute: 50_000 })
  const parts = await database.writeClient.query({
    query: `SELECT DISTINCT toUInt32(max_block_number - min_block_number) AS merged FROM system.parts
      WHERE database = {database:String} AND table = 'user_tags' AND level = 0`,
    query_params: { database: database.config.database },
    format: 'JSONEachRow'
  })
  expect(await parts.json()).toEqual([{ merged: 0 }])
})

test('a bad row refuses the whole batch, in the table and both views, as refused_rows', async () => {
  const database = await clickHouse.freshDatabase()
  const [row] = userTagRows(0, 1)
  const faults = [
    { ...row, price: 'x' }, { ...row, cookie: null }, { ...row, time: 'yesterday' }, { ...row, no_such_field: 1 },
    { ...row, product_id_is_number: 'perhaps' }
  ]
  for (const [index, bad] of faults.entries()) {
    const rows = [...userTagRows(0, 5), bad]
    const columns = Object.keys(row ?? {})
    const attempt = insertBatch({ client: database.writeClient, table: 'user_tags', columns, rows, token: `bad-${index}` })
    const error = await attempt.then(() => undefined, (reason: unknown) => reason)
    expect([index, error === undefined ? 'stored' : classifyFault(error)]).toEqual([index, 'refused_rows'])
  }
  expect(await totals(database.writeClient)).toMatchObject({ raw: 0, by_cookie: 0, by_minute: 0 })
})

test('faults of the set-up are fatal, a server that is down is retry', async () => {
  const { config, writeClient: client } = await clickHouse.freshDatabase()
  const rows = userTagRows(0, 1)
  const fault = (attempt: Promise<void>) => attempt.then(() => 'stored', classifyFault)
  expect(await fault(insertBatch({ client, table: 'no_such_table', rows, token: 'a' }))).toBe('fatal')
  const down = createWriteClient({ ...config, url: 'http://127.0.0.1:1' })
  expect(await fault(insertBatch({ client: down, table: 'user_tags', rows, token: 'a' }))).toBe('retry')
  await down.close()
})

test('inserts and selects run side by side, and all of them answer', async () => {
  const database = await clickHouse.freshDatabase()
  const select = async (index: number): Promise<void> => {
    const query = 'SELECT {index:UInt32} AS index, sum(number) AS sum FROM numbers(100000)'
    const result = await database.readClient.query({ query, query_params: { index }, format: 'JSONEachRow' })
    expect(await result.json()).toMatchObject([{ index }])
  }
  const batch = (index: number): Promise<void> => insert(database, index * 100, 100, `side-by-side-${index}`)
  const indexes = Array.from({ length: 10 }, (_, index) => index)
  await Promise.all(indexes.flatMap((index) => [batch(index), select(index), select(index)]))
  expect(await totals(database.writeClient)).toEqual(totalsOf(1000))
})

test('an aborted insert, sent again with its token, is stored once', async () => {
  const database = await clickHouse.freshDatabase()
  const client = database.writeClient
  const rows = userTagRows(0, 20_000)
  await insertBatch({ client, table: 'user_tags', rows, token: 'cut', signal: AbortSignal.timeout(20) }).catch(() => undefined)
  await insertBatch({ client, table: 'user_tags', rows, token: 'cut' })
  expect(await totals(client)).toMatchObject({ raw: 20_000, by_cookie: 20_000, by_minute: 20_000 })
})

/** A server with the tables, on a directory of its own, that is killed and started again, with its client. */
async function startKillable () {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kill-'))
  let server = await startServerProcess({ directory })
  const config = testConfig(server.url)
  const migrationClient = createMigrationClient(config)
  await migrate({ client: migrationClient, config, log: { info: () => undefined } })
  await migrationClient.close()
  let client = createWriteClient(config)
  return {
    database: config.database,
    client: () => client,
    kill: () => server.kill(),
    start: async () => {
      await client.close()
      // At a port that is free: somebody else may have its own by now.
      server = await startServerProcess({ directory })
      client = createWriteClient({ ...config, url: server.url })
    },
    close: async () => {
      await client.close()
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

// Only an embedded server is ours to stop, and its files ours to take.
test.skipIf(process.env['CLICKHOUSE_URL'] !== undefined)(
  'a block whose token was noted before the server was killed, and its part was not, is stored when it comes again',
  async () => {
    const { database, client, kill, start, close } = await startKillable()
    for (const batch of [0, 1]) await insert({ writeClient: client() }, batch * 100, 100, `batch-${batch}`)
    const newest = await client().query({
      query: `SELECT path FROM system.parts WHERE database = {database:String} AND table = 'user_tags_by_minute'
        ORDER BY max_block_number DESC LIMIT 1`,
      query_params: { database },
      format: 'JSONEachRow'
    })
    const [part] = await newest.json<{ path: string }>()
    await kill()
    rmSync(part?.path as string, { recursive: true })
    await start()
    for (const batch of [0, 1]) await insert({ writeClient: client() }, batch * 100, 100, `batch-${batch}`)
    expect(await totals(client())).toEqual(totalsOf(200))
    await close()
  }
)

// Only an embedded server is ours to kill.
test.skipIf(process.env['CLICKHOUSE_URL'] !== undefined)(
  'a server killed in the middle of inserts holds every batch exactly once after the retries', async () => {
    const { client, kill, start, close } = await startKillable()
    const batches = 30
    const size = 1000
    let kills = 0
    for (let next = 0; next < batches; next += 3) {
      const group = [next, next + 1, next + 2]
      const send = (): Promise<Array<PromiseSettledResult<void>>> => Promise.allSettled(
        group.map((batch) => insert({ writeClient: client() }, batch * size, size, `batch-${batch}`))
      )
      const sent = send()
      // Some time within the inserts, another one each time; whether it falls into one or not is the point.
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 10 + next * 4))])
      await kill()
      kills += 1
      await sent
      await start()
      const outcomes = await send()
      expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    }
    expect(kills).toBe(batches / 3)
    expect(await totals(client())).toEqual(totalsOf(batches * size))
    await close()
  }, 600_000)
