import { expect, test } from 'vitest'
import { streams } from '../../../contract/index.ts'
import {
  batchFaultsQuery, bookedMinutesQuery, bookedPartitionsQuery, bookedReachQuery
} from '../../../query-api/ledger/batch-queries.ts'
import {
  arrivalsQuery, recountQuery, rollupDaysQuery, rollupMinutesQuery
} from '../../../query-api/ledger/recount-queries.ts'
import type { Stream } from '../../../contract/index.ts'

const positions = [
  { stream: 'user_tags', partition: 0, begin: 0, committed: 5, end: 6 },
  { stream: 'user_tags', partition: 1, begin: 0, committed: 7, end: 7 }
]
const range = { positions, timeRange: { fromMs: 7_200_000, toMs: 7_260_000 } }
const raw = { name: 'user_tags', stream: 'user_tags', booked: 'stored', retentionDays: 30 } as const
const deadLetters = { ...raw, name: 'dead_letters', booked: 'dead_lettered' } as const
const userTags = streams[0] as Stream

test.each([
  ['partitions', bookedPartitionsQuery(range)],
  ['minutes', bookedMinutesQuery(range, { limit: 10, after: undefined })],
  ['minutes-after', bookedMinutesQuery(range, { limit: 10, after: { minute_s: 60, stream: "'", partition: 1 } })],
  ['faults', batchFaultsQuery(range)],
  ['reach', bookedReachQuery(positions)],
  ['recount-rows', recountQuery(raw, range)],
  ['recount-dead-letters', recountQuery(deadLetters, range)],
  ['arrivals', arrivalsQuery(raw, range)],
  ['rollup-days', rollupDaysQuery('user_tags_by_minute', range.timeRange)],
  ['rollup-minutes', rollupMinutesQuery(userTags, 'user_tags_by_minute', "1970-01-01'")]
])('the query for %s has the text that was reviewed, and its values as parameters', async (name, { sql, params }) => {
  await expect(sql).toMatchFileSnapshot(`golden/${name}.sql`)

  const placeholders = [...sql.matchAll(/\{(\w+):/g)].map((match) => match[1])
  expect(Object.keys(params).toSorted()).toEqual([...new Set(placeholders)].toSorted())
})
