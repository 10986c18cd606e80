/**
 * Tables that replays make besides those of the schema: one that is being rebuilt, one that was replaced, one
 * that somebody asked for. As long as they exist they hold rows of subjects, so erasure must find them: what
 * they are is their comment, from the statement on that creates them, a JSON object that names the stream.
 */
import type { PersonalTable } from './personal-tables.ts'

/** What the comment of such a table says at least. */
export interface ReplayTableComment {
  /** Whose rows it holds; they have the columns of its raw table. */
  stream: string
}

/**
 * SQL: the tables of a database that say so of themselves. A rollup says it too while it is rebuilt, but it
 * holds no rows of subjects, nor the columns by which they are found.
 */
export const REPLAY_TABLES_SQL = `
SELECT name, comment FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND JSONExtractString(comment, 'stream') != ''
  AND match(name, '^[a-z][a-z0-9_]{0,126}$')
  AND name IN (SELECT table FROM system.columns WHERE database = currentDatabase() AND name = '_offset')
ORDER BY name`

/** How erasure reaches these tables; `known` are those of the schema, which are not repeated. */
export function replayTables (
  found: ReadonlyArray<{ name: string, comment: string }>, known: readonly PersonalTable[]
): PersonalTable[] {
  const names = new Set(known.map(({ name }) => name))
  return found.filter(({ name }) => !names.has(name)).flatMap(({ name, comment }) => {
    const { stream } = JSON.parse(comment) as ReplayTableComment
    const alike = known.find(({ streams }) => streams.length === 1 && streams[0] === stream)
    return alike === undefined ? [] : [{ ...alike, name }]
  })
}
