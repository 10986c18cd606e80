/** A rollup whose view makes several rows of each event, one by each unit of time. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { ReplayBench, visitFeed } from './replay-bench.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const TABLE = 'visits_by_time'
const STORED = `SELECT unit, start, pageUrl, toUInt32(sum(count)) AS n FROM ${TABLE} GROUP BY ALL ORDER BY ALL`
const OF_RAW = ['toStartOfHour(visitedAt)', 'toStartOfMinute(visitedAt)', 'visitedAt']

let clickHouse: TestClickHouse
let bench: ReplayBench
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  bench = await ReplayBench.open(clickHouse, visitFeed)
  for (const visitor of ['a', 'bb', 'c', 'dd']) await bench.append(visitor, 15)
  await bench.isStored()
})
afterAll(async () => {
  await bench?.close()
  await clickHouse?.close()
})

async function expectEachInEachUnit (events: number): Promise<void> {
  const raw: unknown[] = []
  for (const [index, start] of OF_RAW.entries()) {
    raw.push(...await bench.erasure.sql(`
      SELECT CAST(${index + 1}, 'Enum8(\\'hour\\' = 1, \\'minute\\' = 2, \\'millisecond\\' = 3)') AS unit,
        toDateTime64(${start}, 3, 'UTC') AS start, pageUrl, toUInt32(count()) AS n
      FROM visits GROUP BY ALL ORDER BY ALL`))
  }
  expect(await bench.erasure.sql(STORED)).toEqual(raw)
  expect(await bench.erasure.sql(`SELECT unit, toUInt32(sum(count)) AS n FROM ${TABLE} GROUP BY unit ORDER BY unit`))
    .toEqual(['hour', 'minute', 'millisecond'].map((unit) => ({ unit, n: events })))
}

test('a damaged table of counts by several units is rebuilt, more than once, and an insert again adds nothing', async () => {
  await expectEachInEachUnit(60)
  await bench.erasure.sql(`TRUNCATE TABLE ${TABLE}`)
  let events = 60
  for (const visitor of ['e', 'ff']) {
    bench.newStore().beforeCount = async () => {
      if (bench.store.hasSwapped) return
      await bench.append(visitor, 15)
      await bench.isStored()
      events += 15
    }
    expect(await bench.rebuild(TABLE)).toMatchObject({ table: TABLE, events })
    await bench.sink.insertAgain()
    await expectEachInEachUnit(events)
  }
})

test('counts that one unit has and the others have not, or lacks and they have, are not taken for events', async () => {
  const arrivals = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
  const units = await bench.store.unitsOf(TABLE)
  expect(units).toEqual(['hour', 'minute', 'millisecond'])
  const counts = () => bench.store.countsOf(
    [{ name: 'visits', isRollup: false }, { name: TABLE, isRollup: true, units }], arrivals)
  const [events] = await counts()
  expect(await counts()).toEqual([events, events])
  await bench.erasure.sql(`INSERT INTO ${TABLE} SELECT today(), '', 'hour', now64(3), '', 1`)
  expect((await counts())[1]).toBe(NaN)
  await bench.store.run([`DELETE FROM ${TABLE} WHERE unit = 'hour'`])
  expect((await counts())[1]).toBe(NaN)
})
