import { setTimeout as delay } from 'node:timers/promises'
import { LoopbackClient } from './loopback-client.ts'

/** What the tables of the retailer's stream hold. */
export interface StoredCounts {
  user_tags: number
  user_tags_by_cookie: number
  user_tags_by_minute: number
  /** Different event ids in user_tags: fewer than rows means that something was stored twice. */
  eventIds: number
}

/** As clickhouse/ sets them by default. */
const USER = 'millrace'
const DATABASE = 'millrace'
const QUIET_MS = 2_000
const SETTLE_MS_MAX = 60_000

const COUNTS = `
  SELECT
    (SELECT count() FROM ${DATABASE}.user_tags) AS user_tags,
    (SELECT count() FROM ${DATABASE}.user_tags_by_cookie) AS user_tags_by_cookie,
    (SELECT sum(count) FROM ${DATABASE}.user_tags_by_minute) AS user_tags_by_minute,
    (SELECT uniqExact(event_id) FROM ${DATABASE}.user_tags) AS eventIds
  FORMAT JSONEachRow`

/**
 * Waits until at least `expected` rows are in every table and nothing more arrives, or a minute has passed,
 * and returns what is there then.
 */
export async function settledCounts (
  clickHouseUrl: string, { expected, signal }: { expected: number, signal: AbortSignal }
): Promise<StoredCounts> {
  const client = new LoopbackClient({ baseUrl: clickHouseUrl, connectionsMax: 1 })
  const deadlineMs = performance.now() + SETTLE_MS_MAX
  try {
    let counts = await readCounts(client)
    while (performance.now() < deadlineMs) {
      await delay(QUIET_MS, undefined, { signal })
      const before = counts
      counts = await readCounts(client)
      const quiet = JSON.stringify(before) === JSON.stringify(counts)
      if (quiet && Math.min(...Object.values(counts)) >= expected) break
    }
    return counts
  } finally {
    client.close()
  }
}

async function readCounts (client: LoopbackClient): Promise<StoredCounts> {
  const { status, body } = await client.post('/', COUNTS, { 'x-clickhouse-user': USER })
  if (status !== 200) throw new Error(`ClickHouse answered ${status}: ${body.slice(0, 500)}`)
  const row = JSON.parse(body) as Record<keyof StoredCounts, string>
  return {
    user_tags: Number(row.user_tags),
    user_tags_by_cookie: Number(row.user_tags_by_cookie),
    user_tags_by_minute: Number(row.user_tags_by_minute),
    eventIds: Number(row.eventIds)
  }
}
