/** Every table that a recount reads, of every stream, changed by hand: the ledger names it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertBatch } from '../../../clickhouse/index.ts'
import { streams } from '../../../contract/index.ts'
import { rollupsOf } from '../../../query-api/ledger/rollup-queries.ts'
import { startTestClickHouse } from '../../support/clickhouse.ts'
import { T0, batchRow, ledgerServer } from './ledger-books.ts'
import type { Stream } from '../../../contract/index.ts'
import type { TestClickHouse, TestDatabase } from '../../support/clickhouse.ts'

const ROWS = 10

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse.close())

/** Ten events of each stream, booked as one batch. */
async function deliver ({ writeClient: client }: TestDatabase): Promise<void> {
  for (const stream of streams as readonly Stream[]) {
    const { name, tables: { raw } } = stream
    const rows = Array.from({ length: ROWS }, (_unused, offset) => {
      const envelope = { tenant: 'default', eventId: `e${offset}`, eventIdOrigin: 'SERVER' } as const
      const record = stream.toRecord(stream.example, envelope)
      return stream.toRow(record, { partition: 0, offset, receivedAtMs: T0 })
    })
    const booked = batchRow({ first: 0, last: ROWS - 1, arrivedMs: T0 })
    const batch = { ...booked, stream: name, topic: name, token: name }
    await insertBatch({ client, table: raw, rows, token: name })
    await insertBatch({ client, table: 'batches', rows: [batch], token: name })
  }
}

async function start () {
  const database = await clickHouse.freshDatabase()
  await deliver(database)
  const positions = streams.map(({ name }) => {
    return { stream: name, partition: 0, begin: 0, committed: ROWS, end: ROWS }
  })
  const { get, close } = await ledgerServer(database, () => positions)
  return {
    database,
    change: (query: string) => {
      return database.writeClient.command({ query, clickhouse_settings: { mutations_sync: '1' } })
    },
    faults: async () => (await get({ recount: 'true' })).body.faults as Array<Record<string, unknown>>,
    close
  }
}

const tablesOf = (pick: (tables: Stream['tables']) => Array<string | undefined>): string[] => {
  return streams.flatMap(({ tables }) => pick(tables).filter((table) => table !== undefined))
}
const ROW_TABLES = tablesOf(({ raw, bySubject }) => [raw, bySubject])
const ROLLUPS = (streams as readonly Stream[]).flatMap(rollupsOf)
const ROLLUP_TABLES = [...new Set(ROLLUPS.map(({ name }) => name))]

test('every table that holds events or counts of them is recounted', async () => {
  const { database, faults, close } = await start()
  const answer = await database.readClient.query({
    query: `
SELECT DISTINCT table FROM system.columns
WHERE database = currentDatabase() AND (name = '_offset' OR name = 'count') AND table NOT LIKE '%_view'
ORDER BY table`,
    format: 'JSONEachRow'
  })
  const found = (await answer.json<{ table: string }>()).map(({ table }) => table)
  expect(found).toEqual([...ROW_TABLES, ...ROLLUP_TABLES].toSorted())
  expect(await faults()).toEqual([])
  await close()
})

test('each table of rows that misses one is named, and one that is there twice does not stand in for it', async () => {
  const { change, faults, close } = await start()
  for (const table of ROW_TABLES) await change(`DELETE FROM ${table} WHERE _offset = 4`)
  const missing = ROW_TABLES.map((table) => expect.objectContaining({ kind: 'recount', table, expected: 10, found: 9 }))
  expect(await faults()).toEqual(expect.arrayContaining(missing))
  // What goes into a raw table reaches the one by subject by itself.
  for (const table of tablesOf(({ raw }) => [raw])) {
    await change(`INSERT INTO ${table} SELECT * FROM ${table} WHERE _offset = 5`)
  }
  expect(await faults()).toEqual(expect.arrayContaining(missing))
  await close()
})

test.each([
  ['counts one more', (table: string) => `ALTER TABLE ${table} UPDATE count = count + 1 WHERE 1`, [{ expected: 10, found: 11 }]],
  ['counts one less', (table: string) => `ALTER TABLE ${table} UPDATE count = count - 1 WHERE 1`, [{ expected: 10, found: 9 }]],
  ['is empty', (table: string) => `TRUNCATE TABLE ${table}`, [{ expected: 10, found: 0 }]],
  ['has its rows under another page or brand', (table: string) => `
INSERT INTO ${table} SELECT * REPLACE('other' AS ${dimensionOf(table)}, toUInt64(1) AS count) FROM ${table};
ALTER TABLE ${table} UPDATE count = count - 1 WHERE ${dimensionOf(table)} != 'other'`, [{ expected: 10, found: 0 }]],
  ['has one at another hour of the day', (table: string) => `
INSERT INTO ${table} SELECT * REPLACE(${columnOf(table)} + INTERVAL 1 HOUR AS ${columnOf(table)}, toUInt64(1) AS count) FROM ${table};
ALTER TABLE ${table} UPDATE count = count - 1 WHERE count > 1`, [{ expected: 10, found: 9 }, { expected: 0, found: 1 }]]
])('each rollup that %s is named', async (_what, changesOf, expected) => {
  const { change, faults, close } = await start()
  for (const table of ROLLUP_TABLES) for (const each of changesOf(table).split(';')) await change(each)
  const named = ROLLUPS.flatMap(({ name }) => expected.map((fault) => ({ table: name, ...fault })))
  const found = await faults()
  expect(found).toMatchObject(named)
  expect(found).toHaveLength(named.length)
  await close()
})

test('a sum of a rollup that was changed without its count is named', async () => {
  const { change, faults, close } = await start()
  await change('ALTER TABLE user_tags_by_minute UPDATE sum_price = sum_price + 1 WHERE 1')
  expect(await faults()).toMatchObject([{ table: 'user_tags_by_minute', expected: 10, found: 0 }])
  await close()
})

function columnOf (rollup: string): string {
  return rollup.endsWith('time') ? 'start' : 'minute'
}

function dimensionOf (rollup: string): string {
  return rollup.startsWith('visits') ? 'pageUrl' : 'brand_id'
}
