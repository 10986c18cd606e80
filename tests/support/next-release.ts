/**
 * A copy of this release in which the stream page_views has one more optional field, `referrer`: what the
 * next release of somebody who adds a field looks like, with its schema, its definition and its migration.
 */
import { cpSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
/** Folders that a running role needs nothing of. */
const LEFT_OUT = new Set(['data', 'docs', 'helm', 'loadtest', 'node_modules', 'scripts', 'tests'])

const FIELD = { name: 'referrer', type: ['null', 'string'], default: null, doc: 'Page that led to this one.' }

const MIGRATION = `-- The page that led to a viewed one.
ALTER TABLE {{database}}.page_views {{on_cluster}} ADD COLUMN IF NOT EXISTS referrer Nullable(String);
ALTER TABLE {{database}}.page_views_by_user {{on_cluster}} ADD COLUMN IF NOT EXISTS referrer Nullable(String);
ALTER TABLE {{database}}.page_views_by_user_view {{on_cluster}} MODIFY QUERY
SELECT
  timestamp, user_id, name, referrer, time_text, event_id, event_id_origin, tenant, received_at, _partition,
  _offset
FROM {{database}}.page_views;
`

/** Writes the release into an existing empty folder. */
export function writeNextRelease (directory: string): void {
  for (const entry of readdirSync(ROOT, { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name) || entry.name.startsWith('.')) continue
    cpSync(join(ROOT, entry.name), join(directory, entry.name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  addField(join(directory, 'contract/streams/page_views'))
  addMigration(join(directory, 'clickhouse/migrations'))
}

function addField (stream: string): void {
  const schema = JSON.parse(readFileSync(join(stream, 'page_views.v1.avsc'), 'utf8')) as { fields: object[] }
  const fields = [...schema.fields, FIELD]
  writeFileSync(join(stream, 'page_views.v2.avsc'), JSON.stringify({ ...schema, fields }))
  const index = readFileSync(join(stream, 'index.ts'), 'utf8')
  const first = "readSchema(import.meta.url, 'page_views.v1.avsc')"
  if (!index.includes(first)) throw new Error('The definition of page_views does not look as expected')
  writeFileSync(join(stream, 'index.ts'), index.replace(first, `${first}, ${first.replace('v1', 'v2')}`))
}

function addMigration (migrations: string): void {
  const numbers = readdirSync(migrations).map((name) => Number(name.slice(0, 4)))
  const next = String(Math.max(...numbers) + 1).padStart(4, '0')
  writeFileSync(join(migrations, `${next}_add_page_views_referrer.sql`), MIGRATION)
}
