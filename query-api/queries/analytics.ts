import { analytics } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { AnalyticsRequest } from '../parse-analytics-request.ts'
import type { Query } from '../query-client.ts'
import type { Row } from '../../contract/index.ts'

export interface AnalyticsAnswer {
  unique_users: number
  clicks: number
  impressions: number
}

const SQL = `
SELECT
  uniqExact(user) AS unique_users,
  countIf(event = 'click') AS clicks,
  countIf(event = 'impression') AS impressions
FROM ${analytics.tables.raw}
WHERE tenant = {tenant:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')`.trimStart()

export function analyticsQuery (tenant: string, { timeRange }: AnalyticsRequest): Query {
  return { name: 'analytics', sql: SQL, params: { tenant, ...storablePart(timeRange) } }
}

export function toAnalyticsAnswer (rows: readonly Row[]): AnalyticsAnswer {
  const row = rows[0] ?? {}
  return {
    unique_users: Number(row['unique_users'] ?? 0),
    clicks: Number(row['clicks'] ?? 0),
    impressions: Number(row['impressions'] ?? 0)
  }
}
