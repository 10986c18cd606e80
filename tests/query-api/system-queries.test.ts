import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { analyticsQuery, toAnalyticsAnswer } from '../../query-api/queries/analytics.ts'
import { toUserStatistics, userStatisticsQuery } from '../../query-api/queries/user-statistics.ts'
import { VISITS_COUNTS_MAX, toVisitsBodies, visitsQuery } from '../../query-api/queries/visits.ts'
import { REPORT_ROWS_MAX, percentOf, reportQuery, toReport } from '../../query-api/reports/report.ts'
import { browsers, devices } from '../../query-api/reports/shares.ts'
import { conversion, stageJourney, stageTimes, stages } from '../../query-api/reports/stages.ts'
import { elements } from '../../query-api/reports/elements.ts'
import { pages, urlJourney } from '../../query-api/reports/pages.ts'

const HOSTILE = "x' OR 1=1; DROP TABLE visits; -- {tenant:String} \\' \u0000 `"
const timeRange = { fromMs: 1, toMs: 200_001 }
const WINDOW = { aggregation: 'day', timeRange, unique: false } as const
const REPORTS = {
  conversion, stageJourney, stageTimes, stages, pages, urlJourney, elements, browsers, devices
}

/** The queries of a file, by the comment above each. */
function golden (file: string): Record<string, string> {
  const text = readFileSync(new URL(`golden/${file}.sql`, import.meta.url), 'utf8')
  return Object.fromEntries(text.split(/^-- /m).slice(1).map((section) => {
    const end = section.indexOf('\n')
    return [section.slice(0, end), section.slice(end + 1).trimEnd()]
  }))
}

describe('the text of a query', () => {
  it.each(Object.entries(REPORTS))('is fixed for the report %s, its values are parameters', (name, report) => {
    const { sql, params } = reportQuery(report, HOSTILE, { app: HOSTILE, timeRange })
    expect(sql).toBe(golden('reports')[name])
    expect(params).toEqual({
      tenant: HOSTILE, app: HOSTILE, from_ms: 1, to_ms: 200_001, rows_max: REPORT_ROWS_MAX + 1
    })
  })

  it.each([
    ['whole minutes', { aggregation: 'hour', timeRange: { fromMs: 60_000, toMs: 120_000 }, unique: false }],
    ['whole hours', { aggregation: 'day', timeRange: { fromMs: 3_600_000, toMs: 7_200_000 }, unique: false }],
    ['ends inside minutes of other hours', {
      aggregation: 'day', timeRange: { fromMs: 1, toMs: 7_300_001 }, unique: false
    }],
    ['ends inside minutes', { aggregation: 'month', timeRange, unique: false }],
    ['inside one minute', { aggregation: 'minute', timeRange: { fromMs: 1, toMs: 2 }, unique: false }],
    ['unique', { aggregation: 'day', timeRange, unique: true }]
  ] as const)('is fixed for visits: %s', (name, request) => {
    const { sql, params } = visitsQuery(HOSTILE, [request])
    expect(sql).toBe(golden('visits')[name])
    expect(params['tenant']).toBe(HOSTILE)
    expect(Object.values(params)).toEqual(expect.arrayContaining(Object.values(request.timeRange)))
  })

  it('is fixed for several windows of visits, and counts a time once by the shortest bucket asked of it', () => {
    const { sql, params } = visitsQuery(HOSTILE, [
      { aggregation: 'month', timeRange: { fromMs: 0, toMs: 7_200_000 }, unique: false },
      { aggregation: 'hour', timeRange: { fromMs: 3_600_000, toMs: 7_200_000 }, unique: false },
      { aggregation: 'minute', timeRange: { fromMs: 10_800_000, toMs: 10_860_001 }, unique: false },
      { aggregation: 'day', timeRange: { fromMs: -2, toMs: -1 }, unique: false }
    ])
    expect(sql).toBe(golden('visits')['several'])
    expect(params).toEqual({
      tenant: HOSTILE,
      counts_max: VISITS_COUNTS_MAX + 1,
      edge_0: 0,
      edge_1: 3_600_000,
      edge_2: 7_200_000,
      edge_3: 10_800_000,
      edge_4: 10_860_000,
      edge_5: 10_860_001
    })
  })

  it('is fixed for visits of no time at all', () => {
    const { sql } = visitsQuery(HOSTILE, [{ aggregation: 'day', timeRange: { fromMs: -2, toMs: -1 }, unique: false }])
    expect(sql).toBe(golden('visits')['no time'])
  })

  it('is fixed for the statistics of users', () => {
    const { sql, params } = userStatisticsQuery(HOSTILE, [HOSTILE, 'b'], { fromMs: -5, toMs: Date.UTC(9999, 0) })
    expect(sql).toBe(golden('points')['user_statistics'])
    expect(params).toEqual({
      tenant: HOSTILE, user_ids: [HOSTILE, 'b'], from_ms: 0, to_ms: Date.UTC(2106, 0)
    })
  })

  it('is fixed for analytics', () => {
    const { sql, params } = analyticsQuery(HOSTILE, { timeRange })
    expect(sql).toBe(golden('points')['analytics'])
    expect(params).toEqual({ tenant: HOSTILE, from_ms: 1, to_ms: 200_001 })
  })
})

describe('an answer', () => {
  it('counts what a 64-bit number came as, text or number', () => {
    expect(toAnalyticsAnswer([{ unique_users: '2', clicks: 1, impressions: '0' }]))
      .toEqual({ unique_users: 2, clicks: 1, impressions: 0 })
    expect(toVisitsBodies([WINDOW], [{ segment: '0', pageUrl: '"', buckets: [['60', '7']] }]))
      .toEqual(['{"data":{"\\"":[{"timeframe":"1970-01-01T00:00:00.000Z","visit_count":7}]}}'])
  })

  it('has the pages of its own window, in the order of their bytes', () => {
    const rows = [[1, '\u{1f600}'], [1, '\uffee'], [2, 'b'], [1, '1'], [1, 'Z']].map(([segment, pageUrl]) => {
      return { segment, pageUrl, buckets: [] }
    })
    const windows = [0, 1, 2].map((fromMs) => ({ ...WINDOW, timeRange: { fromMs, toMs: fromMs + 1 } }))
    expect(toVisitsBodies(windows, rows)).toEqual([
      '{"data":{}}', '{"data":{"1":[],"Z":[],"\uffee":[],"\u{1f600}":[]}}', '{"data":{"b":[]}}'
    ])
  })

  it('adds up what windows of visits share, each by its own bucket', () => {
    const by = (aggregation: 'hour' | 'day' | 'month', fromMs: number) => {
      return { aggregation, unique: false, timeRange: { fromMs, toMs: 40 * 86_400_000 } }
    }
    // From the middle of the first day, whose first hours are another segment's.
    const rows = [
      { segment: 1, pageUrl: '/', buckets: [[43_200, 2], [46_800, 3], [2_678_400, 5]] },
      { segment: 0, pageUrl: '/', buckets: [[0, 1]] }
    ]
    const body = (...counts: Array<[string, number]>) => JSON.stringify({
      data: { '/': counts.map(([timeframe, count]) => ({ timeframe: `1970-${timeframe}:00:00.000Z`, visit_count: count })) }
    })
    expect(toVisitsBodies([by('day', 0), by('hour', 43_200_000), by('month', 0)], rows)).toEqual([
      body(['01-01T00', 6], ['02-01T00', 5]),
      body(['01-01T12', 2], ['01-01T13', 3], ['02-01T00', 5]),
      body(['01-01T00', 6], ['02-01T00', 5])
    ])
  })

  it('gives every user their own statistics, zeros where there are none', () => {
    const row = { user_id: 'b', views: '3', spent_ms: 90_000, days_active: 1, most_viewed_page: '/' }
    expect(toUserStatistics(['__proto__', 'b'], [row])).toEqual([
      { views: 0, minutesSpent: 0, daysActive: 0, mostViewedPage: null },
      { views: 3, minutesSpent: 1.5, daysActive: 1, mostViewedPage: '/' }
    ])
  })

  it('rounds percents to one decimal', () => {
    expect([percentOf(12, 14), percentOf(2, 14), percentOf(16, 20), percentOf(0, 3), percentOf(3, 3)])
      .toEqual([85.7, 14.3, 80, 0, 100])
  })

  it('is refused where it would have to be cut', () => {
    const row = { segment: 0, pageUrl: '/', buckets: Array.from({ length: VISITS_COUNTS_MAX + 1 }, () => [0, 1]) }
    expect(toVisitsBodies([WINDOW], [row])).toEqual([expect.objectContaining({ code: 'invalid_time_range' })])
    const rows = Array.from({ length: REPORT_ROWS_MAX + 1 }, () => ({}))
    expect(() => toReport(devices, rows)).toThrow(expect.objectContaining({ code: 'invalid_time_range' }))
  })
})
