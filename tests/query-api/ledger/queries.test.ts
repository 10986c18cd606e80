import { expect, test } from 'vitest'
import { streams, visits } from '../../../contract/index.ts'
import {
  batchFaultsQuery, bookedMinutesQuery, bookedPartitionsQuery, bookedReachQuery
} from '../../../query-api/ledger/batch-queries.ts'
import { recountQuery } from '../../../query-api/ledger/recount-queries.ts'
import {
  differingDays, rawHoursQuery, rollupBucketsQuery, rollupHoursQuery, rollupsOf
} from '../../../query-api/ledger/rollup-queries.ts'
import type { Rollup } from '../../../query-api/ledger/rollup-queries.ts'
import type { Stream } from '../../../contract/index.ts'

const positions = [
  { stream: 'user_tags', partition: 0, begin: 0, committed: 5, end: 6 },
  { stream: 'user_tags', partition: 1, begin: 0, committed: 7, end: 7 }
]
const range = { positions, timeRange: { fromMs: 7_200_000, toMs: 7_260_000 } }
const raw = { name: 'user_tags', stream: 'user_tags', booked: 'stored', retentionDays: 30 } as const
const deadLetters = { ...raw, name: 'dead_letters', booked: 'dead_lettered' } as const
const userTags = streams[0] as Stream
const [byMinute] = rollupsOf(userTags) as [Rollup]
const [, byHour, , byMillisecond] = rollupsOf(visits as unknown as Stream) as [Rollup, Rollup, Rollup, Rollup]

test.each([
  ['partitions', bookedPartitionsQuery(range)],
  ['minutes', bookedMinutesQuery(range, { limit: 10, after: undefined })],
  ['minutes-after', bookedMinutesQuery(range, { limit: 10, after: { minute_s: 60, stream: "'", partition: 1 } })],
  ['faults', batchFaultsQuery(range)],
  ['reach', bookedReachQuery(positions)],
  ['recount-rows', recountQuery(raw, range)],
  ['recount-dead-letters', recountQuery(deadLetters, range)],
  ['rollup-hours', rollupHoursQuery(userTags, byMinute, range.timeRange)],
  ['raw-hours', rawHoursQuery(userTags, byMinute, range)],
  ['raw-hours-by-hour', rawHoursQuery(visits as unknown as Stream, byHour, range)],
  ['rollup-hours-by-hour', rollupHoursQuery(visits as unknown as Stream, byHour, range.timeRange)],
  ['rollup-buckets-by-millisecond', rollupBucketsQuery(visits as unknown as Stream, byMillisecond, { day: "1970-01-01'", hours: [1] })],
  ['rollup-buckets', rollupBucketsQuery(userTags, byMinute, { day: "1970-01-01'", hours: [1] })]
])('the query for %s has the text that was reviewed, and its values as parameters', async (name, { sql, params }) => {
  await expect(sql).toMatchFileSnapshot(`golden/${name}.sql`)

  const placeholders = [...sql.matchAll(/\{(\w+):/g)].map((match) => match[1])
  expect(Object.keys(params).toSorted()).toEqual([...new Set(placeholders)].toSorted())
})

const DAY = '2026-03-22'
const held = (hour: number, least: number, most = least, check = '7') => {
  return { day: DAY, hour, least_n: least, most_n: most, check }
}
const found = (hour: number, count: number, check = '7') => ({ day: DAY, hour, found_n: count, check })

test.each([
  ['holds the same', [found(1, 5)], [held(1, 5)], []],
  ['has what is in flight, or some of it', [found(1, 6)], [held(1, 5, 7, '8')], []],
  ['misses rows', [found(1, 4)], [held(1, 5)], [1]],
  ['misses an hour', [], [held(1, 5)], [1]],
  ['has rows of nowhere', [found(1, 5), found(2, 1)], [held(1, 5)], [2]],
  ['has as many in one hour more as in another less', [found(1, 4), found(2, 6)], [held(1, 5), held(2, 5)], [1, 2]],
  ['has as many rows in other buckets', [found(1, 5, '8')], [held(1, 5)], [1]],
  ['still has what was erased', [found(1, 7)], [held(1, 5), held(-1, 2)], []],
  ['was built anew after an erasure', [found(1, 5)], [held(1, 5), held(-1, 2)], []],
  ['has as many as are left after an erasure, in other buckets', [found(1, 5, '8'), found(2, 7)],
    [held(1, 5), held(2, 5), held(-1, 2)], [1]],
  ['still has what was erased in one hour, and not in another', [found(1, 5), found(2, 7, '8')],
    [held(1, 5), held(2, 5), held(-1, 2)], []],
  ['has more than what was erased', [found(1, 8)], [held(1, 5), held(-1, 2)], [1]],
  ['misses what was not erased', [found(1, 4), found(2, 8)], [held(1, 5), held(2, 5), held(-1, 2)], [1]]
])('a rollup that %s', (_what, rollup, raw, hours) => {
  expect(differingDays(rollup, raw)).toEqual(hours.length === 0 ? [] : [{ day: DAY, hours }])
})
