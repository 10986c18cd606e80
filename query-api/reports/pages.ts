import { APP_WINDOW, sumElapsed, toSeconds } from './report.ts'
import type { Report } from './report.ts'

const CHANGES_WINDOW = `${APP_WINDOW}
  AND type = 'url_change'`

/**
 * `{ page, views, elapsed, hit, average }`: how often a url-change entered each page, and the seconds on it
 * over the times (`hit`) that one left it; `average` is null for a page that nobody has left yet.
 */
export const pages: Report = {
  name: 'report_pages',
  sql: `
SELECT page, sum(entries) AS views, ${sumElapsed('seconds')} AS elapsed, sum(leaves) AS hit
FROM (
  SELECT
    arrayJoin([(to_url, 1, 0, 0.), (from_url, 0, 1, elapsed_time)]) AS visit,
    visit.1 AS page,
    visit.2 AS entries,
    visit.3 AS leaves,
    visit.4 AS seconds${CHANGES_WINDOW.replaceAll('\n', '\n  ')}
)
WHERE page IS NOT NULL
GROUP BY page
ORDER BY page`,
  toEntry: (row) => {
    const elapsed = toSeconds(row['elapsed'])
    const hit = Number(row['hit'])
    return { page: row['page'], views: Number(row['views']), elapsed, hit, average: hit === 0 ? null : elapsed / hit }
  }
}

/** `{ from, to, unique_users, hits }`: the url-changes from page to page. */
export const urlJourney: Report = {
  name: 'report_url_journey',
  sql: `
SELECT from_url, to_url, uniqExact(device_id) AS unique_users, count() AS hits${CHANGES_WINDOW}
  AND from_url IS NOT NULL
  AND to_url IS NOT NULL
GROUP BY from_url, to_url
ORDER BY from_url, to_url`,
  toEntry: (row) => ({
    from: row['from_url'], to: row['to_url'], unique_users: Number(row['unique_users']), hits: Number(row['hits'])
  })
}
