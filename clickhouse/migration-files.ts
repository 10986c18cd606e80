import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'

/** One forward-only step, as it stands in migrations/NNNN_<verb>_<table>.sql. */
export interface Migration {
  version: number
  name: string
  /** The template: rendered by `renderMigration`. */
  source: string
  /** SHA-256 of `source`: an applied migration is never edited. */
  checksum: string
}

/** The migrations of this release cannot be what the database has seen, or are wrong in themselves. */
export class MigrationError extends Error {
  readonly retryable = false
  override readonly name = 'MigrationError'
  readonly code: 'bad_migration_set' | 'checksum_mismatch' | 'database_is_newer' | 'lock_lost'

  constructor (code: MigrationError['code'], message: string) {
    super(message)
    this.code = code
  }
}

const FILE_NAME = /^(\d{4})_([a-z0-9]+_[a-z0-9_]+)\.sql$/

/** The migrations of this release, ascending from 1 without a gap. Throws MigrationError. */
export function loadMigrations (directory: URL = new URL('migrations/', import.meta.url)): Migration[] {
  const migrations = readdirSync(directory).sort().map((file) => {
    const match = FILE_NAME.exec(file)
    if (match === null) throw new MigrationError('bad_migration_set', `${file} is not NNNN_<verb>_<table>.sql`)
    const [, version, name] = match
    return makeMigration(Number(version), name as string, readFileSync(new URL(file, directory), 'utf8'))
  })
  checkNumbers(migrations)
  return migrations
}

export function makeMigration (version: number, name: string, source: string): Migration {
  return { version, name, source, checksum: createHash('sha256').update(source).digest('hex') }
}

/** Throws MigrationError where a number stands twice or is missing. */
export function checkNumbers (migrations: readonly Migration[]): void {
  for (const [index, migration] of migrations.entries()) {
    if (migration.version === index + 1) continue
    const fault = migration.version <= index ? `${migration.version} stands twice` : `${index + 1} is missing`
    throw new MigrationError('bad_migration_set', `Migration numbers run from 1 without a gap: ${fault}`)
  }
}
