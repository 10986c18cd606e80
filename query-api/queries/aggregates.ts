import { EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, formatTime, userTags } from '../../contract/index.ts'
import { minutesOf } from '../parse-time-range.ts'
import type { Row } from '../../contract/index.ts'
import type { Aggregate, AggregatesRequest, FilterName } from '../parse-aggregates-request.ts'
import type { Query } from '../query-client.ts'

export interface AggregatesAnswer {
  columns: string[]
  /** Every cell is a string. */
  rows: string[][]
}

/** Conditions by name, so that nothing of a request is ever part of the text. */
const CONDITIONS: Record<FilterName, string> = {
  origin: '\n  AND origin = {origin:String}',
  brand_id: '\n  AND brand_id = {brand_id:String}',
  category_id: '\n  AND category_id = {category_id:String}'
}

const COLUMNS: Record<Aggregate, string> = { COUNT: 'count', SUM_PRICE: 'sum_price' }

/**
 * Count and revenue of each minute that has any, as text: a sum has 64 bits, a JavaScript number 53. The
 * range is cut to the times that a table holds.
 */
export function aggregatesQuery (tenant: string, { timeRange, action, filters }: AggregatesRequest): Query {
  return {
    name: 'aggregates',
    sql: `
SELECT
  toUnixTimestamp(minute) AS minute_s,
  toString(sum(count)) AS count_text,
  toString(sum(sum_price)) AS sum_price_text
FROM ${userTags.tables.byMinute}
WHERE tenant = {tenant:String}
  AND action = {action:String}
  AND minute >= toDateTime({from_s:UInt32}, 'UTC')
  AND minute < toDateTime({to_s:UInt32}, 'UTC')${filters.map(({ name }) => CONDITIONS[name]).join('')}
GROUP BY minute`.trimStart(),
    params: {
      tenant,
      action,
      from_s: clampToSeconds(timeRange.fromMs),
      to_s: clampToSeconds(timeRange.toMs),
      ...Object.fromEntries(filters.map(({ name, value }) => [name, value]))
    }
  }
}

/** The answer with one row for every minute of the range, in order; minutes without events are zeros. */
export function toAggregatesAnswer (
  { timeRange, action, aggregates, filters }: AggregatesRequest, rows: readonly Row[]
): AggregatesAnswer {
  const sums = new Map(rows.map((row) => [Number(row['minute_s']) * 1000, row]))
  const constants = [action, ...filters.map(({ value }) => value)]
  return {
    columns: [
      '1m_bucket', 'action', ...filters.map(({ name }) => name), ...aggregates.map((name) => COLUMNS[name])
    ],
    rows: minutesOf(timeRange).map((minuteMs) => {
      const row = sums.get(minuteMs)
      const cells = aggregates.map((name) => String(row?.[`${COLUMNS[name]}_text`] ?? '0'))
      return [formatTime(minuteMs).slice(0, 19), ...constants, ...cells]
    })
  }
}

function clampToSeconds (ms: number): number {
  return Math.min(Math.max(ms, EVENT_TIME_MS_MIN), EVENT_TIME_MS_MAX + 1) / 1000
}
