import { EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, userTags } from '../../contract/index.ts'
import type { Row, UserTag } from '../../contract/index.ts'
import type { Query } from '../query-client.ts'
import type { ProfileRequest } from '../parse-profile-request.ts'

/** A shopper's newest tags, newest first. */
export interface Profile {
  views: UserTag[]
  buys: UserTag[]
}

/** What `fromRow` needs of a row; the key's constants and the position stay in the table. */
const COLUMNS = Object.keys(userTags.rawColumns)
  .filter((column) => !['tenant', 'received_at', '_partition', '_offset'].includes(column))

/** Each shopper's own range, behind the one that the index is searched for. */
const OWN_RANGES = `
  AND toUnixTimestamp64Milli(time) >= transform(cookie, {cookies:Array(String)}, {from_ms_each:Array(Int64)}, 0)
  AND toUnixTimestamp64Milli(time) < transform(cookie, {cookies:Array(String)}, {to_ms_each:Array(Int64)}, 0)`

// Equal times keep their order in the log.
const sqlOf = (ownRanges: string): string => `
SELECT ${COLUMNS.join(', ')}
FROM ${userTags.tables.bySubject}
WHERE tenant = {tenant:String}
  AND cookie IN {cookies:Array(String)}
  AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')${ownRanges}
ORDER BY cookie, action, time DESC, _partition DESC, _offset DESC
LIMIT {limit:UInt16} BY cookie, action`.trimStart()

/**
 * A point read is over in milliseconds: compiling its expressions, planning an ordered read and waking a
 * second thread cost more than they save (engine CPU a query, 2,000 rows: 11.7 ms before, 8.0 after).
 */
const SETTINGS = {
  max_threads: 1,
  optimize_read_in_order: 0,
  compile_expressions: 0,
  compile_aggregate_expressions: 0,
  compile_sort_description: 0
}

/**
 * One query for the profiles of several shoppers, each in its own range of time. Cookies must differ. Ranges
 * are cut to the times that a table holds. Who asks for "the last hour" in the same second asks for one
 * range; looking it up for every row would be a seventh of the query's CPU.
 */
export function profilesQuery (tenant: string, requests: readonly ProfileRequest[]): Query {
  const fromMsEach = requests.map(({ timeRange }) => clamp(timeRange.fromMs))
  const toMsEach = requests.map(({ timeRange }) => clamp(timeRange.toMs))
  const range = { from_ms: Math.min(...fromMsEach), to_ms: Math.max(...toMsEach) }
  const isShared = new Set(fromMsEach).size === 1 && new Set(toMsEach).size === 1
  return {
    name: 'profiles',
    sql: sqlOf(isShared ? '' : OWN_RANGES),
    settings: SETTINGS,
    params: {
      tenant,
      cookies: requests.map(({ cookie }) => cookie),
      ...range,
      ...(isShared ? {} : { from_ms_each: fromMsEach, to_ms_each: toMsEach }),
      limit: Math.max(...requests.map(({ limit }) => limit))
    }
  }
}

/** The profile of each request, in their order, from the rows of their query. */
export function toProfiles (requests: readonly ProfileRequest[], rows: readonly Row[]): Profile[] {
  const profiles = new Map<unknown, Profile>(requests.map(({ cookie }) => [cookie, { views: [], buys: [] }]))
  const limits = new Map<unknown, number>(requests.map(({ cookie, limit }) => [cookie, limit]))
  for (const row of rows) {
    const profile = profiles.get(row['cookie'])
    if (profile === undefined) continue
    const tags = row['action'] === 'VIEW' ? profile.views : profile.buys
    if (tags.length < (limits.get(row['cookie']) as number)) tags.push(userTags.fromRow(row))
  }
  return [...profiles.values()]
}

function clamp (ms: number): number {
  return Math.min(Math.max(ms, EVENT_TIME_MS_MIN), EVENT_TIME_MS_MAX + 1)
}
