/** Every process of the system is killed while events flow: nothing acknowledged is lost or counted twice. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { PlaceLog } from '../support/place-log.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { EventSender } from './event-sender.ts'
import type { ChildName, Millrace } from '../support/millrace.ts'

const ROUNDS = 2
const CONNECTIONS = 32
/** Batches so small that something is always half done when a process is killed. */
const BUSY = { BATCH_AGE_MS_MAX: '50', INGEST_BUDGET_MS: '2000' }
const VICTIMS: readonly ChildName[] = ['processors', 'clickhouse', 'serve']
/** For a child to be started again and work, on a busy machine, with its back-off and a rebalance. */
const RECOVERY_MS_MAX = 180_000

interface Ledger {
  partition: number
  first: number
  last: number
  stored: number
  dead: number
}

/** How often each event is in a table, by its number. */
async function countsIn (millrace: Millrace, table: string, count: string): Promise<Map<number, number>> {
  const rows = await millrace.sql<{ number: number, times: number }>(
    `SELECT toUInt32(substring(origin, 2)) AS number, ${count} AS times FROM ${table}
     WHERE origin LIKE 'n%' GROUP BY number ORDER BY number`)
  return new Map(rows.map(({ number, times }) => [number, times]))
}

async function rowsOf (millrace: Millrace, table: string): Promise<unknown[]> {
  return await millrace.sql(
    `SELECT time, cookie, action, origin, product_id, product_id_is_number, brand_id, category_id, price, event_id,
       received_at, _partition, _offset
     FROM ${table} ORDER BY _partition, _offset`)
}

async function minuteSums (millrace: Millrace, select: string): Promise<unknown[]> {
  return await millrace.sql(
    `SELECT minute, action, origin, brand_id, category_id, ${select}
     GROUP BY minute, action, origin, brand_id, category_id ORDER BY minute, action, origin, brand_id, category_id`)
}

describeOnEachLog('kill -9 while events flow', (kind) => {
  const random = SeededRandom.fromEnv(`kill -9 while events flow, ${kind}`)
  let millrace: Millrace
  let log: PlaceLog
  let sender: EventSender

  beforeAll(async () => {
    millrace = await startMillrace({ kind, env: BUSY })
    log = new PlaceLog(millrace.place)
    sender = new EventSender({ millrace, connections: CONNECTIONS })
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => {
    await sender?.stop()
    await log?.close()
    await millrace?.stop()
  })

  test('each killed child is started again, and the system takes and stores events again', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const victim of VICTIMS) {
        await sender.acknowledgesMore(200 + random.below(1000), RECOVERY_MS_MAX)
        await millrace.killChild(victim)
        await millrace.ready(RECOVERY_MS_MAX)
        // What is acknowledged from here on is stored by the system that has recovered.
        const newest = Math.max(...sender.acknowledged)
        await expect.poll(async () => {
          const [row] = await millrace.sql<{ newest: number }>('SELECT max(price) AS newest FROM user_tags')
          return row?.newest
        }, { timeout: RECOVERY_MS_MAX, interval: 100 }).toBeGreaterThan(newest)
      }
    }
    await sender.stop()
    await log.drained(RECOVERY_MS_MAX)
  })

  test('each acknowledged event is in every table exactly once, each other one at most once', async () => {
    expect(sender.acknowledged.size).toBeGreaterThan(ROUNDS * VICTIMS.length * 200)
    const tables = [['user_tags', 'count()'], ['user_tags_by_cookie', 'count()'], ['user_tags_by_minute', 'sum(count)']]
    for (const [table, count] of tables as Array<[string, string]>) {
      const counts = await countsIn(millrace, table, count)
      expect({ table, lost: [...sender.acknowledged].filter((number) => !counts.has(number)) })
        .toEqual({ table, lost: [] })
      expect({ table, twice: [...counts].filter(([, times]) => times !== 1) }).toEqual({ table, twice: [] })
      const sent = (number: number): boolean => sender.acknowledged.has(number) || sender.unknown.has(number)
      const invented = [...counts.keys()].filter((number) => !sent(number))
      expect({ table, invented }).toEqual({ table, invented: [] })
    }
    console.log(`${kind}: ${sender.acknowledged.size} acknowledged, ${sender.unknown.size} refused or unknown`)
  })

  test('the rows by cookie are the raw rows, and the sums by minute are theirs', async () => {
    const raw = await rowsOf(millrace, 'user_tags')
    expect(await rowsOf(millrace, 'user_tags_by_cookie')).toEqual(raw)
    expect(await minuteSums(millrace, 'sum(count) AS n, sum(sum_price) AS total FROM user_tags_by_minute')).toEqual(
      await minuteSums(millrace, 'count() AS n, sum(price) AS total FROM (' +
        'SELECT *, CAST(toStartOfMinute(time) AS DateTime(\'UTC\')) AS minute FROM user_tags)'))
  })

  test('the ledger has every offset once, without gaps, and as many rows as the raw table', async () => {
    const batches = await millrace.sql<Ledger>(
      `SELECT partition, first_offset AS first, last_offset AS last, stored, dead_lettered AS dead FROM batches
       WHERE stream = 'user_tags' ORDER BY partition, first_offset`)
    const [raw] = await millrace.sql<{ rows: number }>('SELECT count() AS rows FROM user_tags')
    expect(batches.reduce((sum, { stored }) => sum + stored, 0)).toBe(raw?.rows)
    expect(batches.reduce((sum, { dead }) => sum + dead, 0)).toBe(0)
    for (const [index, { partition, first }] of batches.entries()) {
      const before = batches[index - 1]
      expect(first).toBe(before?.partition === partition ? before.last + 1 : 0)
    }
  })
})
