import { APP_WINDOW, percentOf, sumElapsed, toSeconds } from './report.ts'
import type { Report } from './report.ts'

/**
 * `{ element, hover_leave, elapsed_leave, hover_click, elapsed_click, hit, percent_leave, percent_click,
 * average_elapsed }`: how often the pointer left each element or clicked it, the seconds that it hovered
 * before, and what part of all hits each of the two is.
 */
export const elements: Report = {
  name: 'report_elements',
  sql: `
SELECT
  target AS element,
  countIf(action = 'hover_then_leave') AS hover_leave,
  ${sumElapsed("if(action = 'hover_then_leave', elapsed_time, 0)")} AS elapsed_leave,
  countIf(action = 'hover_then_clicked') AS hover_click,
  ${sumElapsed("if(action = 'hover_then_clicked', elapsed_time, 0)")} AS elapsed_click${APP_WINDOW}
  AND type = 'btn_time'
  AND action IN ('hover_then_leave', 'hover_then_clicked')
  AND target IS NOT NULL
GROUP BY element
ORDER BY element`,
  toEntry: (row) => {
    const leaves = Number(row['hover_leave'])
    const clicks = Number(row['hover_click'])
    const elapsedLeave = toSeconds(row['elapsed_leave'])
    const elapsedClick = toSeconds(row['elapsed_click'])
    const hit = leaves + clicks
    return {
      element: row['element'],
      hover_leave: leaves,
      elapsed_leave: elapsedLeave,
      hover_click: clicks,
      elapsed_click: elapsedClick,
      hit,
      percent_leave: percentOf(leaves, hit),
      percent_click: percentOf(clicks, hit),
      average_elapsed: (elapsedLeave + elapsedClick) / hit
    }
  }
}
