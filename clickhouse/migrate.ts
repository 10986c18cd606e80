import { insertBatch } from './client.ts'
import { MigrationError, checkNumbers, loadMigrations } from './migration-files.ts'
import { LOCK_TIMING, withMigrationLock } from './migration-lock.ts'
import { DEDUPLICATION_WINDOW, engine, onCluster, renderMigration } from './migration-template.ts'
import { splitStatements } from './sql-tokens.ts'
import type { ClickHouseClient } from './client.ts'
import type { Migration } from './migration-files.ts'
import type { LockTiming } from './migration-lock.ts'
import type { TemplateConfig } from './migration-template.ts'

export interface MigrateOptions {
  /** From `createMigrationClient`: its default database exists before the first migration. */
  client: ClickHouseClient
  config: TemplateConfig
  log: { info: (fields: object, message: string) => void }
  migrations?: readonly Migration[]
  lockTiming?: LockTiming
}

interface AppliedMigration {
  version: number
  name: string
  checksum: string
}

/**
 * Brings the database to this release: creates it, applies every migration that it has not seen, in order,
 * one runner at a time. Forward only. A migration is recorded after its last statement; each statement is
 * idempotent, so that a runner that died in the middle is repaired by running again.
 *
 * Returns the versions applied now. Throws MigrationError where an applied migration was edited, numbers have
 * a gap, or the database is newer than the code; ClickHouseError where a statement fails.
 */
export async function migrate (options: MigrateOptions): Promise<number[]> {
  const { client, config, log, migrations = loadMigrations(), lockTiming = LOCK_TIMING } = options
  checkNumbers(migrations)
  await createBookkeeping(client, config)
  return withMigrationLock({ client, config, timing: lockTiming }, async (assertHeld) => {
    const pending = findPending(migrations, await readApplied(client, config))
    for (const migration of pending) {
      for (const statement of splitStatements(renderMigration(migration.source, config))) {
        await assertHeld()
        await client.command({ query: statement })
      }
      await record(client, config, migration)
      log.info({ version: migration.version, migration: migration.name }, 'migration applied')
    }
    return pending.map((migration) => migration.version)
  })
}

function findPending (migrations: readonly Migration[], applied: readonly AppliedMigration[]): Migration[] {
  const byVersion = new Map(migrations.map((migration) => [migration.version, migration]))
  for (const { version, name, checksum } of applied) {
    const migration = byVersion.get(version)
    if (migration === undefined) {
      throw new MigrationError('database_is_newer', `The database has migration ${version} ${name}, which this release lacks`)
    }
    if (migration.checksum !== checksum) {
      throw new MigrationError('checksum_mismatch', `Migration ${version} ${migration.name} was edited after it was applied`)
    }
  }
  const appliedVersions = new Set(applied.map(({ version }) => version))
  return migrations.filter(({ version }) => !appliedVersions.has(version))
}

async function createBookkeeping (client: ClickHouseClient, config: TemplateConfig): Promise<void> {
  const { database } = config
  await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database} ${onCluster(config)}` })
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS ${database}.schema_migrations ${onCluster(config)} (
      version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
    ) ENGINE = ${engine('MergeTree', config)} ORDER BY version
    ${config.cluster === undefined ? `SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW}` : ''}`
  })
}

async function readApplied (client: ClickHouseClient, config: TemplateConfig): Promise<AppliedMigration[]> {
  const result = await client.query({
    query: `SELECT version, name, checksum FROM ${config.database}.schema_migrations ORDER BY version`,
    format: 'JSONEachRow'
  })
  return result.json<AppliedMigration>()
}

async function record (client: ClickHouseClient, config: TemplateConfig, migration: Migration) {
  const { version, name, checksum } = migration
  await insertBatch({
    client,
    table: `${config.database}.schema_migrations`,
    rows: [{ version, name, checksum }],
    token: `schema_migrations-${version}-${checksum}`
  })
}
