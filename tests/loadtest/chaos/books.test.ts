/** The recount of the ledger: a hole, an overlap or a sum that is wrong by one is found. */
import { expect, test } from 'vitest'
import type { Rows } from '../../../loadtest/clickhouse-sql.ts'
import { readBooks, unaccounted } from '../../../loadtest/chaos/books.ts'

type Batch = [partition: number, first: number, last: number, ...outcomes: [number, number, number, number]]

const ENDS = [{ partition: 0, begin: 0, end: 10 }, { partition: 1, begin: 5, end: 8 }]
const BATCHES: Batch[] = [
  [0, 0, 3, 3, 0, 1, 0], [0, 4, 9, 6, 0, 0, 0], [1, 5, 7, 2, 0, 0, 1]
]

function sqlOf (batches: readonly Batch[], rawRows: number, letters = 0): Rows {
  return {
    rows: async <Row extends unknown[]>(statement: string): Promise<Row[]> => {
      const rows: unknown[][] = statement.includes('ORDER BY')
        ? batches.map((batch) => [...batch])
        : [[statement.includes('dead_letters') ? letters : rawRows]]
      return rows as Row[]
    }
  }
}

async function broken (batches: readonly Batch[], rawRows = 11, letters = 0): Promise<string[]> {
  const { checks } = await readBooks(sqlOf(batches, rawRows, letters), 'user_tags', ENDS)
  return checks.flatMap(({ name, mismatches, examples }) => mismatches > 0 ? [`${name}: ${examples.join('; ')}`] : [])
}

test('balance where every offset is in one batch and the table holds what was stored', async () => {
  expect(await broken(BATCHES)).toEqual([])
  const { checks, ...books } = await readBooks(sqlOf(BATCHES, 11), 'user_tags', ENDS)
  expect(books).toEqual({ records: 13, batches: 3, stored: 11, deadLettered: 0, duplicates: 1, erased: 1 })
})

test('show a batch that is missing, at either end or between, and one that overlaps', async () => {
  expect(await broken(BATCHES.slice(1))).toContain(
    'user_tags: the ledger has every offset of the log once: 0: 0 is followed by 4')
  expect(await broken(BATCHES.toSpliced(1, 1))).toContain(
    'user_tags: the ledger has every offset of the log once: 0: ends at 4, the log at 10')
  expect(await broken(BATCHES.toSpliced(1, 0, [0, 2, 3, 2, 0, 0, 0]))).toContain(
    'user_tags: the ledger has every offset of the log once: 0: 4 is followed by 2')
})

test('show what does not add up', async () => {
  expect(await broken(BATCHES, 12)).toEqual(['user_tags: rows in the table - stored is 0: 1'])
  expect(await broken(BATCHES.with(1, [0, 4, 9, 5, 0, 0, 0]))).toEqual([
    'user_tags: what each batch became adds up to its records: 0,4,9,5,0,0,0',
    'user_tags: accepted - stored - dead-lettered - duplicates - erased is 0: 1',
    'user_tags: rows in the table - stored is 0: 1'
  ])
  expect(await broken(BATCHES.with(1, [0, 4, 9, 5, 1, 0, 0]), 10, 1)).toEqual([
    'user_tags: dead letters, of which there should be none is 0: 1'
  ])
})

test('say how much of the log they do not have yet', async () => {
  expect(await unaccounted(sqlOf([], 11), 'user_tags', ENDS)).toBe(2)
})
