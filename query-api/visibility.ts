/**
 * What a read must not show although a table still gives it: rows of subjects who are being erased. Every
 * query goes through `visibleQuery` on its way to ClickHouse, so none can leave it out, and nothing is added
 * to a query while nothing is to be hidden.
 *
 * Decided elsewhere: which rows (erasure), until when (its job masks them in the tables).
 */
import { streams } from '../contract/index.ts'

/** Rows of one table that are to be left out. */
export interface HiddenRows {
  /** A condition that holds for them, with placeholders. */
  sql: string
  params: Readonly<Record<string, unknown>>
}

export interface TenantVisibility {
  /** Changes whenever more is hidden: an answer of an earlier version is out of date. */
  version: string
  /** By table; a table that is not there is given as it is. */
  hidden: ReadonlyMap<string, HiddenRows>
}

export interface Visibility {
  /**
   * What the reads of a tenant that begin now must hide. Rejects where that is not known: the read fails
   * then, rather than show what was erased.
   */
  of: (tenant: string) => Promise<TenantVisibility>
}

/**
 * For the books alone: they answer counts and positions, and have to count what is being erased until it is
 * gone.
 */
export const EVERY_ROW = Symbol('every row')

export const NOTHING_HIDDEN: Visibility = {
  of: async () => ({ version: '', hidden: new Map() })
}

/** A query names its values; `tenant` is whose data it reads. */
interface TenantQuery {
  sql: string
  params: Readonly<Record<string, unknown>>
}

export interface VisibleQuery extends TenantQuery {
  /** ClickHouse settings that the query must carry. */
  settings: Readonly<Record<string, number>>
}

const PERSONAL_TABLES = [...streams.flatMap(({ personalTables }) => personalTables), 'dead_letters']
const MENTION = new RegExp(`(\\bFROM\\s+)?\\b(${PERSONAL_TABLES.join('|')})\\b`, 'g')

/**
 * The query without the rows that its tenant must not see. Rejects as `visibility` does, and with TypeError
 * where the text names a table with personal rows other than after FROM, or no tenant: it would not be safe
 * to run.
 */
export async function visibleQuery (
  { sql, params }: TenantQuery, visibility: Visibility | typeof EVERY_ROW
): Promise<VisibleQuery> {
  if (visibility === EVERY_ROW) return { sql, params, settings: {} }
  const tables = new Set([...sql.matchAll(MENTION)].map(([text, from, table]) => {
    if (from === undefined) throw new TypeError(`${text} is read other than by FROM`)
    return table as string
  }))
  if (tables.size === 0) return { sql, params, settings: {} }
  const { tenant } = params
  if (typeof tenant !== 'string') throw new TypeError('A query of personal rows names no tenant')
  const { hidden } = await visibility.of(tenant)
  const rows = [...tables].map((table) => hidden.get(table)).filter((each) => each !== undefined)
  if (rows.length === 0) return { sql, params, settings: {} }
  return {
    sql: sql.replace(MENTION, (text, from: string, table: string) => {
      const condition = hidden.get(table)?.sql
      return condition === undefined ? text : `${from}(SELECT * FROM ${table} WHERE NOT (${condition}))`
    }),
    params: Object.assign({}, params, ...rows.map((each) => each.params)),
    // The parameters hold a key, and the log of queries keeps what they hold.
    settings: { log_queries: 0 }
  }
}
