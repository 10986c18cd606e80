import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bucketStarts } from '../../../query-api/questions/buckets.ts'
import { BUCKETS } from '../../../query-api/questions/question.ts'
import { TimeZone } from '../../../query-api/questions/time-zone.ts'
import { localBuckets } from './model.ts'
import type { BucketName } from '../../../query-api/questions/question.ts'

const ZONES = ['UTC', 'Europe/Warsaw', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia',
  'America/Sao_Paulo', 'Africa/Casablanca', 'America/St_Johns']
const zone = (name: string) => TimeZone.of(name) as TimeZone
const second = (text: string) => Date.parse(text) / 1000
const starts = (bucket: BucketName, name: string, from: string, to: string) => bucketStarts({
  bucket, zone: zone(name), from: second(from), to: second(to), countMax: 10_000
})?.map((start) => new Date(start * 1000).toISOString().slice(0, 16))

test('days of Warsaw have 23 hours in spring and 25 in autumn', () => {
  expect(starts('1d', 'Europe/Warsaw', '2026-03-27T23:00:00Z', '2026-03-30T22:00:00Z'))
    .toEqual(['2026-03-27T23:00', '2026-03-28T23:00', '2026-03-29T22:00'])
  expect(starts('1d', 'Europe/Warsaw', '2026-10-24T22:00:00Z', '2026-10-27T00:00:00Z'))
    .toEqual(['2026-10-24T22:00', '2026-10-25T23:00', '2026-10-26T23:00'])
})

test('an hour that New York repeats is two buckets, and one that it skips is none', () => {
  expect(starts('1h', 'America/New_York', '2026-11-01T05:00:00Z', '2026-11-01T08:00:00Z'))
    .toEqual(['2026-11-01T05:00', '2026-11-01T06:00', '2026-11-01T07:00'])
  expect(starts('6h', 'America/New_York', '2026-03-08T05:00:00Z', '2026-03-08T17:00:00Z'))
    .toEqual(['2026-03-08T05:00', '2026-03-08T10:00', '2026-03-08T16:00'])
})

test('hours of Kathmandu begin a quarter after those of UTC', () => {
  expect(starts('1h', 'Asia/Kathmandu', '2026-01-01T00:20:00Z', '2026-01-01T02:00:00Z'))
    .toEqual(['2026-01-01T00:15', '2026-01-01T01:15'])
})

test('the half hour by which Lord Howe moves its clocks ends an hour, and no two buckets overlap', () => {
  expect(starts('1h', 'Australia/Lord_Howe', '2026-04-04T14:00:00Z', '2026-04-04T16:30:00Z'))
    .toEqual(['2026-04-04T14:00', '2026-04-04T15:00', '2026-04-04T15:30'])
  expect(starts('1d', 'Australia/Lord_Howe', '2026-04-03T13:00:00Z', '2026-04-06T00:00:00Z'))
    .toEqual(['2026-04-03T13:00', '2026-04-04T13:00', '2026-04-05T13:30'])
})

test('weeks begin on Monday and months on the first, at local midnight', () => {
  expect(starts('1w', 'Europe/Warsaw', '2026-03-25T00:00:00Z', '2026-04-01T00:00:00Z'))
    .toEqual(['2026-03-22T23:00', '2026-03-29T22:00'])
  expect(starts('1mo', 'Europe/Warsaw', '2026-03-25T00:00:00Z', '2026-05-02T00:00:00Z'))
    .toEqual(['2026-02-28T23:00', '2026-03-31T22:00', '2026-04-30T22:00'])
})

test('a day that a zone skips has no bucket', () => {
  expect(starts('1d', 'Pacific/Apia', '2011-12-29T10:00:00Z', '2012-01-01T00:00:00Z'))
    .toEqual(['2011-12-29T10:00', '2011-12-30T10:00', '2011-12-31T10:00'])
})

test('more buckets than allowed are refused, however many they would be', () => {
  expect(starts('1s', 'UTC', '1970-01-01T00:00:00Z', '2105-12-31T00:00:00Z')).toBeUndefined()
  expect(starts('1m', 'UTC', '2026-01-01T00:00:00Z', '2026-01-07T22:40:00Z')).toHaveLength(10_000)
  expect(starts('1m', 'UTC', '2026-01-01T00:00:00Z', '2026-01-07T22:41:00Z')).toBeUndefined()
})

test('what is no IANA name is no zone', () => {
  for (const name of ['', 'Mars/Olympus', '+01:00', "UTC'", 'UTC\0', 'a'.repeat(65), '../../etc/passwd']) {
    expect(TimeZone.of(name)).toBeUndefined()
  }
})

describe.each(ZONES)('buckets of %s', (name) => {
  test('are those that the local clock shows', () => {
    const names = fc.constantFrom(...Object.keys(BUCKETS) as BucketName[])
    const changes = fc.constantFrom('2026-03-08T07:00Z', '2026-03-29T01:00Z', '2026-04-04T15:00Z', '2026-10-25T01:00Z',
      '2026-11-01T06:00Z', '2026-10-03T15:30Z', '2011-12-30T10:00Z', '2018-11-04T03:00Z').map(second)
    const lengths = fc.integer({ min: 1, max: 200_000 })
    fc.assert(fc.property(names, changes, fc.integer({ min: -90_000, max: 90_000 }), lengths,
      (bucket, change, before, length) => {
        const from = change + before
        const range = { bucket, zone: zone(name), from, to: from + length, countMax: 400_000 }
        const found = bucketStarts(range) as number[]
        const labelOf = localBuckets(bucket, name)
        const label = (at: number) => labelOf(at * 1000)
        expect(found[0]).toBeLessThanOrEqual(from)
        expect(found).toEqual(found.toSorted((a, b) => a - b))
        for (const [index, start] of found.slice(0, 100).entries()) {
          const end = found[index + 1] ?? from + length
          expect(label(start)).toBe(label(Math.max(start, end - 1)))
          if (index > 0) expect(label(start)).not.toBe(label(start - 1))
        }
      }), { numRuns: 60 })
  })
})
