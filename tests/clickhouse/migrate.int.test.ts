import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createMigrationClient, migrate } from '../../clickhouse/index.ts'
import { makeMigration } from '../../clickhouse/migration-files.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { ClickHouseClient, ClickHouseConfig, Migration } from '../../clickhouse/index.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const log = { info: () => undefined }
/** No heartbeat of a runner that lives is so late. */
const lockTiming = { heartbeatMs: 50, staleAfterMs: 30_000, pollMs: 10 }

let clickHouse: TestClickHouse
let client: ClickHouseClient
let config: ClickHouseConfig
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  client = createMigrationClient(clickHouse.config)
})
beforeEach(() => { config = { ...clickHouse.config, database: `test_${randomUUID().replaceAll('-', '')}` } })
afterAll(async () => {
  await client.close()
  await clickHouse.close()
})

const create = (version: number, name: string): Migration => makeMigration(version, `create_${name}`,
  `CREATE TABLE IF NOT EXISTS {{database}}.${name} (id UInt8) ENGINE = {{engine MergeTree}} ORDER BY id;`)

async function names (query: string): Promise<string[]> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  return (await result.json<{ name: string }>()).map((row) => row.name)
}
const tables = (): Promise<string[]> => names(`SELECT name FROM system.tables WHERE database = '${config.database}' ORDER BY name`)
const applied = (): Promise<string[]> => names(`SELECT name FROM ${config.database}.schema_migrations ORDER BY version`)

test('an empty server gets the database and every migration; a second run changes nothing', async () => {
  const first = await migrate({ client, config, log })
  expect(first.length).toBeGreaterThanOrEqual(5)
  expect(await migrate({ client, config, log })).toEqual([])
  expect(await tables()).not.toContain('schema_migrations_lock')
})

test('only what is new is applied', async () => {
  await migrate({ client, config, log, migrations: [create(1, 'a')] })
  const migrations = [create(1, 'a'), create(2, 'b')]
  expect(await migrate({ client, config, log, migrations })).toEqual([2])
  expect(await tables()).toEqual(['a', 'b', 'schema_migrations'])
})

test('two runners at once apply each migration once', async () => {
  const migrations = [create(1, 'a'), create(2, 'b'), create(3, 'c')]
  const run = (): Promise<number[]> => migrate({ client, config, log, migrations, lockTiming })
  const runs = await Promise.all([run(), run(), run()])
  expect(runs.flat().sort()).toEqual([1, 2, 3])
  expect(await applied()).toEqual(['create_a', 'create_b', 'create_c'])
})

test('an edited migration is refused', async () => {
  await migrate({ client, config, log, migrations: [create(1, 'a')] })
  const edited = [makeMigration(1, 'create_a', 'SELECT 1')]
  await expect(migrate({ client, config, log, migrations: edited })).rejects.toMatchObject({ code: 'checksum_mismatch' })
})

test('a database that is newer than the code is refused', async () => {
  await migrate({ client, config, log, migrations: [create(1, 'a'), create(2, 'b')] })
  const older = [create(1, 'a')]
  await expect(migrate({ client, config, log, migrations: older })).rejects.toMatchObject({ code: 'database_is_newer' })
})

test('numbers that are missing or stand twice are refused before anything is done', async () => {
  for (const migrations of [[create(1, 'a'), create(3, 'c')], [create(1, 'a'), create(1, 'b')], [create(2, 'b')]]) {
    await expect(migrate({ client, config, log, migrations })).rejects.toMatchObject({ code: 'bad_migration_set' })
  }
  expect(await tables()).toEqual([])
})

test('a migration that failed in the middle is not recorded, lets the lock go, and is completed by the next run', async () => {
  const half = create(1, 'a').source
  const broken = makeMigration(1, 'create_both', `${half}\nSELECT throwIf(1);\n${create(1, 'b').source}`)
  await expect(migrate({ client, config, log, migrations: [broken], lockTiming })).rejects.toMatchObject({ code: '395' })
  expect(await tables()).toEqual(['a', 'schema_migrations'])
  const repaired = makeMigration(1, 'create_both', `${half}\n${create(1, 'b').source}`)
  expect(await migrate({ client, config, log, migrations: [repaired], lockTiming })).toEqual([1])
  expect(await tables()).toEqual(['a', 'b', 'schema_migrations'])
})

test('the lock of a runner that died is taken over once its heartbeat is stale, by one of those that wait', async () => {
  const migrations = [create(1, 'a')]
  await client.command({ query: `CREATE DATABASE ${config.database}` })
  const dead = `${randomUUID()} ${Date.now() - 60_000}`
  await client.command({
    query: `CREATE TABLE ${config.database}.schema_migrations_lock (nothing UInt8) ENGINE = Memory COMMENT '${dead}'`
  })
  const runs = await Promise.all([1, 2].map(() => migrate({ client, config, log, migrations, lockTiming })))
  expect(runs.flat()).toEqual([1])
  expect(await tables()).not.toContain('schema_migrations_lock')
})

test('a runner that lives keeps its lock for longer than the stale time', async () => {
  const pause = 'SELECT sleep(3) FORMAT Null;'
  const slow = makeMigration(1, 'create_slow', pause + pause + create(1, 'a').source)
  const timing = { ...lockTiming, staleAfterMs: 4_000 }
  const options = { client, config, log, migrations: [slow], lockTiming: timing }
  const run = (): Promise<number[]> => migrate(options)
  const runs = await Promise.all([run(), run()])
  expect(runs.flat()).toEqual([1])
})
