/** The end of a run: waits until everything has settled, and counts all that there is to count. */
import { setTimeout as delay } from 'node:timers/promises'
import { eventLogConfig, eventLogSettings, openEventLog } from '../../eventlog/index.ts'
import { loadConfig } from '../config.ts'
import { readBooks, unaccounted } from './books.ts'
import { ClickHouseSql } from '../clickhouse-sql.ts'
import { agreementCheck, check, positionsCheck, readMinuteSums, readTags, readViews } from './count.ts'
import { numberOf } from './numbered-events.ts'
import type { EventLog } from '../../eventlog/index.ts'
import type { Books } from './books.ts'
import type { Check, StreamRows } from './count.ts'
import type { Deployment } from './deployment.ts'
import type { Load } from './load.ts'
import type { Reader } from './reader.ts'
import type { SentEvents } from './sent-events.ts'

/** After the last fault: until everything that was acknowledged is stored. */
const SETTLE_MS_MAX = 180_000
const SETTLE_INTERVAL_MS = 1_000
const STREAMS = ['user_tags', 'page_views'] as const
const SILENT = { debug: () => {}, warn: () => {} }

/** Events, however often each was sent or is stored. */
export interface EventCounts {
  stream: string
  sent: number
  acknowledged: number
  stored: number
  storedUnacknowledged: number
}

export interface Recount {
  events: EventCounts[]
  books: Array<Books & { stream: string }>
  checks: Check[]
}

/** Counts when everything has settled; what never settles shows as mismatches. */
export async function recount (
  deployment: Deployment, load: Load, reader: Reader
): Promise<Recount> {
  const sql = new ClickHouseSql(`http://127.0.0.1:${deployment.clickHousePort}`)
  const log = openEventLog(eventLogConfig(loadConfig(eventLogSettings, deployment.env)), SILENT)
  try {
    await settle(sql, log, load)
    const tables = await countTables(sql, load)
    const books = await Promise.all(STREAMS.map(async (stream) => {
      return { stream, ...await readBooks(sql, stream, await log.offsets(stream)) }
    }))
    const answered = await reader.countOfTags()
    const stored = tables.tags.times.size
    return {
      events: [
        countsOf('user_tags', load.tags, tables.tags), countsOf('page_views', load.views, tables.views)
      ],
      books,
      checks: [
        ...tables.checks,
        ...books.flatMap(({ checks }) => checks),
        check('query-api: no profile showed an event twice', reader.wrong),
        check('query-api: GET /ledger balances, and so does its recount', await reader.ledgerFaults()),
        check('query-api: counts what is stored', answered === stored ? [] : [`${answered} instead of ${stored}`])
      ]
    }
  } finally {
    sql.close()
    await log.close()
  }
}

/** Waits until all that was acknowledged is stored, and the ledger has all of the log; not for ever. */
async function settle (sql: ClickHouseSql, log: EventLog, load: Load): Promise<void> {
  const end = performance.now() + SETTLE_MS_MAX
  const acknowledged = { user_tags: load.tags.acknowledged, page_views: load.views.acknowledged }
  const isSettled = async (stream: typeof STREAMS[number]): Promise<boolean> => {
    if (await unaccounted(sql, stream, await log.offsets(stream)) !== 0) return false
    const stored = new Set((await sql.rows<[string]>(`SELECT event_id FROM ${stream}`)).map(([id]) => numberOf(id)))
    // An event may still be on its way to the log: ingest keeps it while the brokers are away.
    return [...acknowledged[stream]].every((n) => stored.has(n))
  }
  while (performance.now() < end) {
    const settled = await Promise.all(STREAMS.map(isSettled)).catch(() => [false])
    if (settled.every(Boolean)) return
    await delay(SETTLE_INTERVAL_MS)
  }
}

async function countTables (sql: ClickHouseSql, { tags: sentTags, views: sentViews }: Load) {
  const tags = await readTags(sql, 'user_tags', sentTags)
  const byCookie = await readTags(sql, 'user_tags_by_cookie', sentTags)
  const byMinute = await readMinuteSums(sql, sentTags)
  const views = await readViews(sql, 'page_views', sentViews)
  const byUser = await readViews(sql, 'page_views_by_user', sentViews)
  const copies = ['user_tags', 'user_tags_by_cookie', 'page_views', 'page_views_by_user']
  const checks = [
    ...[tags, byCookie, byMinute, views, byUser].flatMap((table) => table.checks),
    ...await Promise.all(copies.map((table) => positionsCheck(sql, table))),
    agreementCheck('user_tags and user_tags_by_cookie hold the same events', tags, byCookie),
    agreementCheck('user_tags and user_tags_by_minute hold the same events', tags, byMinute),
    agreementCheck('page_views and page_views_by_user hold the same events', views, byUser)
  ]
  return { tags, views, checks }
}

function countsOf (
  stream: string, { sent, acknowledged }: SentEvents, { times }: StreamRows
): EventCounts {
  return {
    stream,
    sent: sent.size,
    acknowledged: acknowledged.size,
    stored: times.size,
    storedUnacknowledged: [...times.keys()].filter((n) => !acknowledged.has(n)).length
  }
}
