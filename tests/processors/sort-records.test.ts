import { describe, expect, test } from 'vitest'
import { streams } from '../../contract/index.ts'
import { sortRecords } from '../../processors/sort-records.ts'
import type { Stream } from '../../contract/index.ts'
import type { LoggedEvent } from '../../processors/sort-records.ts'

const stream = streams[0] as Stream
const WINDOW_MS = 1_000

describe('an event whose subject was erased', () => {
  const batch = { topic: 'user_tags', partition: 0, start: 0, end: 2, records: [] }
  const nothing = Buffer.alloc(0)
  const eventAt = (receivedAtMs: number): LoggedEvent => ({
    record: { offset: receivedAtMs, key: nothing, value: nothing, timestampMs: receivedAtMs },
    fields: { time: 0, product_info: { brand_id: 'b', category_id: 'c', price: 1, product_id: 1 } },
    identity: { tenant: 't', subject: 's', eventId: 'a', receivedAtMs },
    mayComeAgain: true
  })
  const erasedUpTo = (cutoffMs: number) => {
    return (receivedAtMs: number): boolean => receivedAtMs <= cutoffMs
  }

  test('is dropped as erased, and the copy that comes after the cut-off is new', () => {
    const content = sortRecords(stream, batch, [eventAt(10), eventAt(20)], {
      storedAt: () => [], windowMs: WINDOW_MS, isErased: erasedUpTo(15)
    })
    expect(content.dropped).toEqual({ duplicates: 0, erased: 1 })
    expect(content.rows.map((row) => row['_offset'])).toEqual([20])
  })

  test('is no stored copy any more, though its row may still be there', () => {
    const decide = (cutoffMs: number) => sortRecords(stream, batch, [eventAt(20)], {
      storedAt: () => [10], windowMs: WINDOW_MS, isErased: erasedUpTo(cutoffMs)
    }).dropped
    expect(decide(9)).toEqual({ duplicates: 1, erased: 0 })
    expect(decide(15)).toEqual({ duplicates: 0, erased: 0 })
  })
})

test('of the retries of one dead letter, corrected to different subjects, the first in the log is stored', () => {
  const batch = { topic: 'user_tags', partition: 0, start: 0, end: 3, records: [] }
  const retry = (offset: number, subject: string, eventId = 'dead-letter:user_tags-0-7'): LoggedEvent => ({
    record: { offset, key: Buffer.alloc(0), value: Buffer.alloc(0), timestampMs: 10 },
    fields: { time: 0, cookie: subject, product_info: { brand_id: 'b', category_id: 'c', price: 1, product_id: 1 } },
    identity: { tenant: 't', subject, eventId, receivedAtMs: 10 },
    mayComeAgain: true
  })
  const deciders = { storedAt: () => [], windowMs: WINDOW_MS, isErased: () => false }
  const content = sortRecords(stream, batch, [retry(1, 'anna'), retry(2, 'bertha')], deciders)
  expect(content.rows.map((row) => row['_offset'])).toEqual([1])
  expect(content.dropped.duplicates).toBe(1)
  const others = sortRecords(stream, batch, [retry(1, 'anna', 'x'), retry(2, 'bertha', 'x')], deciders)
  expect(others.rows).toHaveLength(2)
})
