/** What a table that was read from the log is compared with. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeReport } from '../../cli/replay-command.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { ReplayBench } from './replay-bench.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse?.close())

test('a replay into a table says how many of the same records the raw table has: all, or less where it was damaged', async () => {
  const bench = await ReplayBench.open(clickHouse)
  try {
    for (const cookie of ['a', 'b']) await bench.append(cookie, 15)
    await bench.isStored()
    const whole = await bench.readInto('whole')
    expect(whole).toMatchObject({ events: 30, raw: { name: 'user_tags', events: 30 } })
    expect(describeReport(whole)).toBe('whole: 30 events. user_tags has as many of the same records.')

    await bench.erasure.database.writeClient.command({
      query: "DELETE FROM user_tags WHERE cookie = 'a' AND _offset % 5 = 0"
    })
    bench.newStore().beforeCount = async () => {
      // What comes after the log's end as it was is in the raw table, and no part of the comparison.
      await bench.append('c', 7)
      await bench.isStored()
    }
    const again = await bench.readInto('again')
    expect(again).toMatchObject({ events: 30, raw: { name: 'user_tags', events: 27 } })
    expect(describeReport(again)).toBe('again: 30 events. user_tags has 27 of the same records.')
  } finally {
    await bench.close()
  }
})
