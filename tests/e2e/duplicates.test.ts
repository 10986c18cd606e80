/** What a client sends again under one id is stored once, by any route, also past a killed processor. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { PlaceLog } from '../support/place-log.ts'
import { until } from '../support/until.ts'
import { tag } from './user-tag-events.ts'
import type { HttpRequest } from '../support/http-client.ts'
import type { Millrace } from '../support/millrace.ts'

const TIME = '2026-03-04T05:06:07Z'
const STORED_MS_MAX = 120_000

const json = (path: string, body: object, headers: Record<string, string> = {}): HttpRequest => {
  return { method: 'POST', path, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
const KEY = { 'idempotency-key': 'key' }

/** Requests that each name one event; every stream gets two events in all, each in another way. */
const REQUESTS: readonly HttpRequest[] = [
  json('/user_tags', { ...tag({ cookie: 'a' }), event_id: 'e1' }),
  json('/user_tags', tag({ cookie: 'b' }), KEY),
  json('/page', { user_id: 'a', name: 'n', timestamp: TIME }, KEY),
  json('/events/page_views', [{ user_id: 'b', name: 'n', timestamp: TIME, event_id: 'e1' }]),
  json('/visits', { identifier: 'a', pageUrl: 'https://p.example/', visitedAt: TIME }, KEY),
  json('/visits', { identifier: 'b', pageUrl: 'https://p.example/', visitedAt: TIME, event_id: 'e1' }),
  { method: 'POST', path: `/analytics?timestamp=${Date.parse(TIME)}&user=a&event=click`, headers: KEY },
  json('/events/analytics', { timestamp: TIME, user: 'b', event: 'click' }, KEY),
  json('/interactions/shop', { type: 'session-start', device_id: 'a', timestamp: Date.parse(TIME), elapsed_time: 0 }, KEY),
  json('/interactions/shop', [{
    type: 'session-start', device_id: 'b', timestamp: Date.parse(TIME), elapsed_time: 0, event_id: 'e1'
  }])
]
const STREAMS = ['analytics', 'interactions', 'page_views', 'user_tags', 'visits']

let millrace: Millrace
let log: PlaceLog
beforeAll(async () => {
  millrace = await startMillrace({ kind: 'embedded' })
  log = new PlaceLog(millrace.place, STREAMS)
})
showLogOfFailures(() => millrace)
afterAll(async () => {
  await log?.close()
  await millrace?.stop()
})

/** The key of the demo site: reports of visits need one, also where nothing else does. */
async function demoKey (): Promise<string> {
  const { text } = await millrace.http.send({ path: '/demo/' })
  return /data-api-key="([^"]+)"/.exec(text)?.[1] ?? ''
}

async function sendAll (): Promise<void> {
  const visitsKey = { 'x-api-key': await demoKey() }
  for (const request of REQUESTS) {
    const key = request.path === '/visits' ? visitsKey : {}
    const { status, text } = await millrace.http.send({ ...request, headers: { ...request.headers, ...key } })
    if (status < 200 || status > 299) throw new Error(`${request.path}: ${status} ${text}`)
  }
}

/** The ledger's sums of each stream, once it has as many records in all. */
async function ledgerOf (records: number): Promise<unknown[]> {
  return await until(`${records} records of each stream are accounted for`, STORED_MS_MAX, async () => {
    const rows = await millrace.sql<{ records: number, stream: string }>(`
      SELECT stream, sum(stored) AS stored, sum(dead_lettered) AS dead, sum(duplicates) AS duplicates,
        sum(last_offset + 1 - first_offset) AS records
      FROM batches GROUP BY stream ORDER BY stream`)
    return rows.length === STREAMS.length && rows.every((row) => row.records === records) ? rows : undefined
  })
}

async function countsOf (tables: Record<string, string>): Promise<Record<string, number>> {
  const counts = Object.entries(tables).map(([table, count]) => `(SELECT toUInt32(${count}) FROM ${table}) AS ${table}`)
  const [row] = await millrace.sql<Record<string, number>>(`SELECT ${counts.join(', ')}`)
  return row ?? {}
}

const ledger = (stored: number, duplicates: number) => STREAMS.map((stream) => {
  return { stream, stored, dead: 0, duplicates, records: stored + duplicates }
})

test('an event that is sent again is stored once, in every table, and the ledger says so', async () => {
  await sendAll()
  await sendAll()
  expect(await ledgerOf(4)).toEqual(ledger(2, 2))
  // What is in the ledger may not be committed yet: the next process would store it, and count it, once more.
  await log.drained(STORED_MS_MAX)
  await millrace.killChild('processors')
  await millrace.ready()
  await sendAll()
  expect(await ledgerOf(6)).toEqual(ledger(2, 4))
  expect(await countsOf({
    user_tags: 'count()',
    user_tags_by_cookie: 'count()',
    user_tags_by_minute: 'sum(count)',
    page_views: 'count()',
    page_views_by_user: 'count()',
    interactions: 'count()',
    interactions_by_device: 'count()',
    analytics: 'count()',
    visits: 'count()',
    visits_by_minute: 'sum(count)'
  })).toEqual({
    user_tags: 2,
    user_tags_by_cookie: 2,
    user_tags_by_minute: 2,
    page_views: 2,
    page_views_by_user: 2,
    interactions: 2,
    interactions_by_device: 2,
    analytics: 2,
    visits: 2,
    visits_by_minute: 2
  })
  const duplicates = () => millrace.metric('millrace_events_duplicate_total', {}, millrace.processors)
  await expect.poll(duplicates).toBe(REQUESTS.length)
})
