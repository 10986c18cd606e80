import { pageViews } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { Row } from '../../contract/index.ts'
import type { Query } from '../query-client.ts'
import type { UserStatisticsRequest } from '../parse-user-statistics-request.ts'

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

// A session's length is the sum of the gaps within it. So each view adds the gap to the view before it, or,
// where it starts a session, the minute that each session counts more.
const SQL = `
SELECT
  user_id,
  sum(views_of_page) AS views,
  sum(page_spent_ms) AS spent_ms,
  uniqExactMerge(page_days) AS days_active,
  argMax(name, (views_of_page, last_view)) AS most_viewed_page
FROM (
  SELECT
    user_id,
    name,
    count() AS views_of_page,
    sum(spent_ms) AS page_spent_ms,
    uniqExactState(toDate(timestamp)) AS page_days,
    max((timestamp, _partition, _offset)) AS last_view
  FROM (
    SELECT
      user_id, name, timestamp, _partition, _offset,
      toUnixTimestamp64Milli(timestamp) AS ms,
      ms - lagInFrame(ms) OVER views_of_user AS gap_ms,
      if(row_number() OVER views_of_user = 1 OR gap_ms > 30 * 60000, 60000, gap_ms) AS spent_ms
    FROM ${pageViews.tables.bySubject}
    WHERE tenant = {tenant:String}
      AND user_id IN {user_ids:Array(String)}
      AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
      AND ms >= transform(user_id, {user_ids:Array(String)}, {from_ms_each:Array(Int64)}, 0)
      AND ms < transform(user_id, {user_ids:Array(String)}, {to_ms_each:Array(Int64)}, 0)
    WINDOW views_of_user AS (
      PARTITION BY user_id ORDER BY timestamp, _partition, _offset
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
  )
  GROUP BY user_id, name
)
GROUP BY user_id`.trimStart()

/** One query for the statistics of several users, each in its own window. The users must differ. */
export function userStatisticsQuery (tenant: string, requests: readonly UserStatisticsRequest[]): Query {
  const ranges = requests.map(({ timeRange }) => storablePart(timeRange))
  const fromMsEach = ranges.map((range) => range.from_ms)
  const toMsEach = ranges.map((range) => range.to_ms)
  return {
    name: 'user_statistics',
    sql: SQL,
    params: {
      tenant,
      user_ids: requests.map(({ userId }) => userId),
      from_ms: Math.min(...fromMsEach),
      to_ms: Math.max(...toMsEach),
      from_ms_each: fromMsEach,
      to_ms_each: toMsEach
    }
  }
}

/** The statistics of each request, in their order; zeros for whoever has no views in the window. */
export function toUserStatistics (
  requests: readonly UserStatisticsRequest[], rows: readonly Row[]
): UserStatistics[] {
  const rowOf = new Map(rows.map((row) => [row['user_id'], row]))
  return requests.map(({ userId }) => {
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
