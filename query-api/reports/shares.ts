import { APP_WINDOW, toShare } from './report.ts'
import type { Report } from './report.ts'

const SESSIONS_WINDOW = `${APP_WINDOW}
  AND type = 'session_start'`

/** `{ device, unique_users, total_users, percent }`. */
export const devices = share('device')

/** `{ browser, unique_users, total_users, percent }`. */
export const browsers = share('browser')

/**
 * The distinct users who started a session with each value of a column, of all who started one within the
 * window. A user with two values counts for both, so shares may add up to more than 100; where nothing is
 * known the value is null, which comes last.
 */
function share (column: 'device' | 'browser'): Report {
  return {
    name: `report_${column}s`,
    sql: `
SELECT
  ${column},
  uniqExact(device_id) AS unique_users,
  (SELECT uniqExact(device_id)${SESSIONS_WINDOW}) AS total_users${SESSIONS_WINDOW}
GROUP BY ${column}
ORDER BY ${column} NULLS LAST`,
    toEntry: (row) => {
      return { [column]: row[column], ...toShare(row) }
    }
  }
}
