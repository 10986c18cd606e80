import { formatTime } from '../../contract/index.ts'
import type { Visit } from '../../contract/index.ts'

export interface VisitsQuestion {
  aggregation: string
  fromMs: number
  toMs: number
  unique: boolean
}

/** What `GET /visits` answers about one tenant's visits: pairs of page and counts, both ends in. */
export function visitsOf (
  stored: readonly Visit[], { aggregation, fromMs, toMs, unique }: VisitsQuestion
): unknown[] {
  const inside = stored.filter(({ visitedAt }) => {
    return Date.parse(visitedAt) >= fromMs && Date.parse(visitedAt) <= toMs
  })
  const pages = [...Map.groupBy(inside, ({ pageUrl }) => pageUrl)]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return pages.map(([page, ofPage]) => {
    const frames = [...Map.groupBy(ofPage, ({ visitedAt }) => timeframeOf(visitedAt, aggregation))].sort()
    return [page, frames.map(([timeframe, own]) => ({
      timeframe, visit_count: unique ? new Set(own.map(({ identifier }) => identifier)).size : own.length
    }))]
  })
}

/** The data of an answer in the form of the model; a JSON object does not keep the order of its names. */
export function pagesOf (data: object): unknown[] {
  return Object.entries(data).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** The start of the bucket that a time is in, by its text in UTC. */
function timeframeOf (visitedAt: string, aggregation: string): string {
  const kept = { minute: 16, hour: 13, day: 10, month: 7 }[aggregation] as number
  return formatTime(Date.parse(visitedAt)).slice(0, kept) + '0000-01-01T00:00:00.000Z'.slice(kept)
}
