import { expect, test } from 'vitest'
import { KnownIds } from '../../processors/known-ids.ts'
import type { StoredId } from '../../processors/index.ts'

test('memory holds no more ids than it may, and the rest is found in the table', async () => {
  const rows: StoredId[] = []
  let reads = 0
  const knownIds = new KnownIds({
    storedIds: {
      newest: async function * () { yield [] },
      find: async (_range, wanted) => {
        reads++
        return rows.filter((row) => wanted.some(({ eventId }) => eventId === row.eventId))
      }
    },
    partition: 0,
    idsMax: 1_000,
    signal: new AbortController().signal
  })
  const idAt = (number: number): StoredId => {
    return { tenant: 't', subject: 's', eventId: String(number), receivedAtMs: 1_000_000 + number }
  }
  for (let number = 0; number < 5_000; number += 100) {
    const batch = Array.from({ length: 100 }, (_unused, index) => idAt(number + index))
    await knownIds.find(batch, { below: number, windowMs: 600_000 })
    knownIds.remember(batch)
    rows.push(...batch)
    expect(knownIds.size).toBeLessThanOrEqual(1_000)
  }
  expect(knownIds.size).toBeGreaterThanOrEqual(750)
  expect(reads).toBeGreaterThan(0)
})

test('ids are forgotten as the window moves on', async () => {
  const knownIds = new KnownIds({
    storedIds: { newest: async function * () { yield [] }, find: async () => [] },
    partition: 0,
    idsMax: 1_000_000,
    signal: new AbortController().signal
  })
  for (let second = 0; second < 100; second++) {
    const receivedAtMs = second * 1_000
    const batch = [{ tenant: 't', subject: 's', eventId: String(second), receivedAtMs }]
    await knownIds.find(batch, { below: second, windowMs: 10_000 })
    knownIds.remember(batch)
    expect(knownIds.size).toBeLessThanOrEqual(13)
  }
})
