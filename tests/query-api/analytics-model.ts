import type { AnalyticsEvent } from '../../contract/index.ts'

const HOUR_MS = 3_600_000

/** What `GET /analytics` answers about one tenant's events and the hour up to `toMs`, both ends in. */
export function analyticsOf (events: readonly AnalyticsEvent[], toMs: number) {
  const inside = events.filter(({ timestamp }) => {
    return Date.parse(timestamp) >= toMs - HOUR_MS && Date.parse(timestamp) <= toMs
  })
  return {
    unique_users: new Set(inside.map(({ user }) => user)).size,
    clicks: inside.filter(({ event }) => event === 'click').length,
    impressions: inside.filter(({ event }) => event === 'impression').length
  }
}
