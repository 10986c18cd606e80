import { pageViews } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { Row } from '../../contract/index.ts'
import type { Query } from '../query-client.ts'
import type { TimeRange } from '../parse-time-range.ts'

/** What one user looked at within a window. */
export interface UserStatistics {
  views: number
  /** Each session counts its last view minus its first one, and a minute more. */
  minutesSpent: number
  daysActive: number
  /** Of those viewed most often, the one viewed last; null where nothing was viewed. */
  mostViewedPage: string | null
}

const MINUTE_MS = 60_000

// A session's length is the sum of the gaps within it. So each view but the first adds the gap to the view
// before it, or, where it starts a session, the minute that each session counts more; the first adds that
// minute. Everything is counted in one pass over the rows: each further level of a query costs ClickHouse
// more than the few rows of a user do.
const SQL = `
SELECT
  user_id,
  count() AS views,
  arraySum(
    gap_ms -> if(gap_ms > 30 * 60000, 60000, gap_ms),
    arrayDifference(arraySort(groupArray(toUnixTimestamp64Milli(timestamp))))
  ) + 60000 AS spent_ms,
  uniqExact(toDate(timestamp)) AS days_active,
  arrayReduce(
    'argMax',
    mapKeys(sumMap(map(name, 1)) AS views_by_page),
    arrayZip(mapValues(views_by_page), mapValues(maxMap(map(name, (timestamp, _partition, _offset)))))
  ) AS most_viewed_page
FROM ${pageViews.tables.bySubject}
WHERE tenant = {tenant:String}
  AND user_id IN {user_ids:Array(String)}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY user_id`.trimStart()

/** One query for the statistics of several users within one window. The users must differ. */
export function userStatisticsQuery (
  tenant: string, userIds: readonly string[], timeRange: TimeRange
): Query {
  const params = { tenant, user_ids: userIds, ...storablePart(timeRange) }
  return { name: 'user_statistics', sql: SQL, params }
}

/** The statistics of each user, in their order; zeros for whoever has no views in the window. */
export function toUserStatistics (userIds: readonly string[], rows: readonly Row[]): UserStatistics[] {
  const rowOf = new Map(rows.map((row) => [row['user_id'], row]))
  return userIds.map((userId) => {
    const row = rowOf.get(userId)
    if (row === undefined) return { views: 0, minutesSpent: 0, daysActive: 0, mostViewedPage: null }
    return {
      views: Number(row['views']),
      minutesSpent: Number(row['spent_ms']) / MINUTE_MS,
      daysActive: Number(row['days_active']),
      mostViewedPage: row['most_viewed_page'] as string
    }
  })
}
