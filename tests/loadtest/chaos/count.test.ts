/** The count of a chaos run finds each kind of mismatch: a table that is wrong by one event is found. */
import { describe, expect, test } from 'vitest'
import { agreementCheck, readMinuteSums, readTags, readViews } from '../../../loadtest/chaos/count.ts'
import { GROUP_SIZE, minuteOfGroup, tagOf, viewOf } from '../../../loadtest/chaos/numbered-events.ts'
import { SentEvents } from '../../../loadtest/chaos/sent-events.ts'
import type { Check } from '../../../loadtest/chaos/count.ts'
import type { Rows as Sql } from '../../../loadtest/clickhouse-sql.ts'

type Rows = Array<[string, ...unknown[]]>

/** Events 0 to 99 were sent, all but the last two of them acknowledged. */
function sentHundred (): SentEvents {
  const events = new SentEvents()
  for (const n of events.take(100)) {
    events.sent.add(n)
    if (n < 98) events.acknowledged.add(n)
  }
  return events
}

function sqlOf (rows: Rows): Sql {
  return { rows: async <Row extends unknown[]>() => rows as unknown[] as Row[] }
}

function tagRow (n: number): [string, ...unknown[]] {
  const { event_id: id, time, cookie, country, device, action, origin, product_info: product } = tagOf(n)
  return [id, Date.parse(time), cookie, country, device, action, origin, String(product.product_id),
    product.brand_id, product.category_id, product.price]
}

function viewRow (n: number): [string, ...unknown[]] {
  const { event_id: id, timestamp, user_id: user, name } = viewOf(n)
  return [id, Date.parse(timestamp), user, name]
}

/** What the minute sums of these events are, one row a group. */
function sumRows (numbers: readonly number[]): Rows {
  const groups = Map.groupBy(numbers, (n) => Math.floor(n / GROUP_SIZE))
  return [...groups].map(([group, members]) => {
    const sum = members.reduce((total, n) => total + tagOf(n).product_info.price, 0)
    return [`g${group}`, minuteOfGroup(group) / 1000, members.length, sum]
  })
}

function broken (checks: readonly Check[]): string[] {
  return checks.filter(({ mismatches }) => mismatches > 0).map(({ name, mismatches }) => `${name}: ${mismatches}`)
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, n) => n)

describe.each([
  { table: 'user_tags', read: readTags, rowOf: tagRow },
  { table: 'page_views', read: readViews, rowOf: viewRow }
])('the rows of $table', ({ table, read, rowOf }) => {
  const count = async (numbers: readonly number[], change?: (rows: Rows) => void): Promise<string[]> => {
    const rows = numbers.map(rowOf)
    change?.(rows)
    return broken((await read(sqlOf(rows), table, sentHundred())).checks)
  }

  test('are right with all that was acknowledged, and with any of the rest', async () => {
    expect(await count(upTo(98))).toEqual([])
    expect(await count(upTo(99))).toEqual([])
    expect(await count(upTo(100))).toEqual([])
  })

  test('are wrong where one is missing, twice, never sent, or changed', async () => {
    expect(await count(upTo(97))).toEqual([`${table}: every acknowledged event is there: 1`])
    expect(await count([...upTo(98), 5])).toEqual([`${table}: no event is there twice: 1`])
    expect(await count([...upTo(99), 98])).toEqual([`${table}: no event is there twice: 1`])
    expect(await count(upTo(101))).toEqual([`${table}: every event was sent: 1`])
    const change = (rows: Rows): void => { (rows[3] as unknown[])[2] = 'somebody else' }
    expect(await count(upTo(98), change)).toEqual([`${table}: every event is as it was sent: 1`])
  })
})

describe('the minute sums', () => {
  const count = async (rows: Rows): Promise<string[]> => {
    return broken((await readMinuteSums(sqlOf(rows), sentHundred())).checks)
  }

  test('are right with all that was acknowledged, and with any of the rest', async () => {
    expect(await count(sumRows(upTo(98)))).toEqual([])
    expect(await count(sumRows(upTo(100)))).toEqual([])
  })

  test('name the event that is missing', async () => {
    const { checks } = await readMinuteSums(sqlOf(sumRows(upTo(98).filter((n) => n !== 30))), sentHundred())
    expect(checks.filter(({ mismatches }) => mismatches > 0)).toEqual([
      { name: 'user_tags_by_minute: every acknowledged event is there', mismatches: 1, examples: ['30'] }
    ])
  })

  test('are wrong where an event counts twice, or takes the place of another', async () => {
    const uncertain = 'user_tags_by_minute: each sum is made of different events, each once: 1'
    expect(await count(sumRows([...upTo(98), 4]))).toContain(uncertain)
    // Twice event 4 is as much as once event 5, which is missing.
    expect(await count(sumRows([...upTo(98).filter((n) => n !== 5 && n !== 4), 4, 4]))).toContain(uncertain)
    expect(await count(sumRows([...upTo(98), ...upTo(98)]))).not.toEqual([])
  })

  test('are wrong where a sum is in another minute', async () => {
    const rows = sumRows(upTo(98))
    ;(rows[1] as unknown[])[1] = minuteOfGroup(7) / 1000
    expect(await count(rows)).toEqual(['user_tags_by_minute: each sum is in its minute: 1'])
  })

  test('must be made of the events that the rows are', async () => {
    const tags = await readTags(sqlOf(upTo(99).map(tagRow)), 'user_tags', sentHundred())
    const sums = await readMinuteSums(sqlOf(sumRows(upTo(98))), sentHundred())
    expect(agreementCheck('same', tags, sums)).toEqual({ name: 'same', mismatches: 1, examples: ['98'] })
    expect(agreementCheck('same', sums, tags)).toEqual({ name: 'same', mismatches: 1, examples: ['98'] })
    expect(agreementCheck('same', tags, tags).mismatches).toBe(0)
  })
})
