import { expect, test } from 'vitest'
import { KnownIds } from '../../processors/known-ids.ts'
import { identityKey } from '../../processors/identity-key.ts'
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

test('an id that comes again and again keeps no more arrivals than the window needs', async () => {
  const knownIds = new KnownIds({
    storedIds: { newest: async function * () { yield [] }, find: async () => [] },
    partition: 0,
    idsMax: 1_000_000,
    signal: new AbortController().signal
  })
  for (let round = 0; round < 200; round++) {
    const event = { tenant: 't', subject: 's', eventId: 'again', receivedAtMs: round * 11_000 }
    const storedAt = await knownIds.find([event], { below: round, windowMs: 10_000 })
    expect([...storedAt(identityKey(event))].length).toBeLessThanOrEqual(3)
    knownIds.remember([event])
  }
  expect(knownIds.size).toBeLessThanOrEqual(3)
})

test('copies of one id that a table is full of take no more memory than ids do', async () => {
  const rows = Array.from({ length: 5_000 }, (_unused, index): StoredId => {
    return { tenant: 't', subject: 's', eventId: 'again', receivedAtMs: 1_000_000 + index }
  })
  const knownIds = new KnownIds({
    storedIds: {
      newest: async function * (_range, limit) { yield rows.toReversed().slice(0, limit) },
      find: async () => rows
    },
    partition: 0,
    idsMax: 1_000,
    signal: new AbortController().signal
  })
  for (const [number, event] of rows.slice(-20).entries()) {
    const storedAt = await knownIds.find([event], { below: number, windowMs: 600_000 })
    expect([...storedAt(identityKey(event))]).toContain(event.receivedAtMs)
    knownIds.remember([{ ...event, receivedAtMs: event.receivedAtMs + 10_000 + number }])
    expect(knownIds.size).toBeLessThanOrEqual(1_000)
  }
})

test('a retried dead letter is one event, whatever subject it was corrected to', async () => {
  const [first, other] = ['anna', 'bertha'].map((subject): StoredId => {
    return { tenant: 't', subject, eventId: 'dead-letter:user_tags-0-7', receivedAtMs: 1_000 }
  }) as [StoredId, StoredId]
  expect(identityKey(first)).toBe(identityKey(other))
  expect(identityKey({ ...first, tenant: 'u' })).not.toBe(identityKey(first))
  expect(identityKey({ ...first, eventId: 'a' })).not.toBe(identityKey({ ...other, eventId: 'a' }))
})
