import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { recordKey } from '../../contract/index.ts'
import { LEASE_MS, SubjectHasher, TombstoneLease, Tombstones, keyInFolder } from '../../erasure/index.ts'
import { EFFECTIVE_AFTER_MS } from '../../erasure/tombstone.ts'
import type { Tombstone } from '../../erasure/index.ts'

const hasher = new SubjectHasher('k'.repeat(32))

function tombstone (more: Partial<Tombstone> = {}): Tombstone {
  return {
    id: '1',
    tenant: 'acme',
    subjectHash: hasher.hash(recordKey('acme', 'u1')),
    keyId: hasher.keyId,
    streams: ['page_views'],
    cutoffMs: 1_000,
    insertedAtMs: 5_000,
    state: 'waiting',
    batch: 0,
    ...more
  }
}

describe('a subject\'s hash', () => {
  test('is HMAC-SHA-256 of the key of its records', () => {
    expect(hasher.hash(Buffer.from('x'))).toBe(createHmac('sha256', 'k'.repeat(32)).update('x').digest('hex'))
  })

  test('is another one for another organisation, and under another key', () => {
    const keys = [recordKey('acme', 'u1'), recordKey('globex', 'u1'), recordKey('acm', 'eu1')]
    const hashes = keys.map((key) => hasher.hash(key))
    const other = new SubjectHasher('l'.repeat(32))
    expect(new Set([...hashes, other.hash(recordKey('acme', 'u1'))]).size).toBe(4)
    expect(other.keyId).not.toBe(hasher.keyId)
  })
})

describe('a record', () => {
  const EFFECTIVE_MS = 5_000 + EFFECTIVE_AFTER_MS
  const tombstones = new Tombstones(9_000_000).with(9_000_000, [tombstone()])
  const erased = (
    stream: string, tenant: string, subject: string, timestampMs: number, asOfMs = EFFECTIVE_MS
  ): boolean => {
    return tombstones.erases({ stream, timestampMs, key: () => recordKey(tenant, subject) }, hasher, asOfMs)
  }

  test('is erased up to the cut-off, of the streams that were named, of this subject alone', () => {
    expect(erased('page_views', 'acme', 'u1', 1_000)).toBe(true)
    expect(erased('page_views', 'acme', 'u1', 1_001)).toBe(false)
    expect(erased('visits', 'acme', 'u1', 1_000)).toBe(false)
    expect(erased('page_views', 'acme', 'u2', 1_000)).toBe(false)
    expect(erased('page_views', 'globex', 'u1', 1_000)).toBe(false)
  })

  test('is judged by what was effective at an instant, whatever was known later', () => {
    expect(erased('page_views', 'acme', 'u1', 1_000, EFFECTIVE_MS - 1)).toBe(false)
    const later = tombstones.with(9_000_001, [tombstone({ state: 'removed', batch: 1 })])
    const record = { stream: 'page_views', timestampMs: 1_000, key: () => recordKey('acme', 'u1') }
    expect(later.erases(record, hasher, EFFECTIVE_MS)).toBe(true)
  })

  test('that is newer than every cut-off costs no hash', () => {
    const key = (): Buffer => { throw new Error('the key was asked for') }
    expect(tombstones.erases({ stream: 'page_views', timestampMs: 1_001, key }, hasher, EFFECTIVE_MS)).toBe(false)
  })
})

test('reads hide an erasure until its rows are masked, and a state that was seen is not unseen', () => {
  let known = new Tombstones(0).with(1, [tombstone()])
  expect(known.hiding('acme')).toHaveLength(1)
  expect(known.hiding('globex')).toEqual([])
  known = known.with(2, [tombstone({ state: 'collecting' })]).with(3, [tombstone()])
  expect(known.hiding('acme')).toMatchObject([{ state: 'collecting' }])
  expect(known.with(4, [tombstone({ state: 'masked' })]).hiding('acme')).toEqual([])
})

interface LeaseState {
  nowMs: number
  stored: Tombstone[]
  reads: number
  gate: Promise<void>
  failure: Error | undefined
}

describe('the lease', () => {
  function start () {
    const stored: Tombstone[] = []
    const gate = Promise.resolve()
    const state: LeaseState = { nowMs: 0, stored, reads: 0, gate, failure: undefined }
    const lease = new TombstoneLease({
      monotonicMs: () => state.nowMs,
      read: async () => {
        state.reads += 1
        const changed = [...state.stored]
        await state.gate
        if (state.failure !== undefined) throw state.failure
        return { nowMs: state.nowMs, changed }
      }
    })
    return { state, seen: async () => (await lease.current()).hiding('acme').length }
  }

  test('gives whatever was stored a lease before it is asked, at every age of what it knows', async () => {
    for (let ageMs = 0; ageMs <= 3 * LEASE_MS; ageMs += LEASE_MS / 8) {
      const { state, seen } = start()
      await seen()
      state.nowMs = ageMs
      await seen()
      state.stored.push(tombstone())
      state.nowMs += LEASE_MS
      expect(await seen(), `at the age of ${ageMs} ms`).toBe(1)
    }
  })

  test('does not wait for a read that began before somebody could have known', async () => {
    const { state, seen } = start()
    const gate = Promise.withResolvers<void>()
    state.gate = gate.promise
    const early = seen()
    state.stored.push(tombstone())
    state.nowMs = LEASE_MS
    const late = seen()
    gate.resolve()
    expect([await early, await late]).toEqual([0, 1])
  })

  test('reads at most twice a lease, and not at all while nobody asks', async () => {
    const { state, seen } = start()
    for (state.nowMs = 0; state.nowMs < 10 * LEASE_MS; state.nowMs += 10) await seen()
    expect(state.reads).toBeLessThanOrEqual(21)
  })

  test('fails where it cannot know, and knows again later', async () => {
    const { state, seen } = start()
    await seen()
    state.failure = new Error('away')
    state.nowMs = LEASE_MS
    await expect(seen()).rejects.toThrow('away')
    state.failure = undefined
    expect(await seen()).toBe(0)
  })
})

describe('the key of a machine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-key-'))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test('is made once, for its owner alone, and is the same for all who ask', () => {
    const key = keyInFolder(directory)
    expect(key).toMatch(/^[0-9a-f]{64}$/)
    expect(keyInFolder(directory)).toBe(key)
    expect(statSync(join(directory, 'erasure.key')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(directory, 'erasure.key'), 'utf8')).toBe(key)
  })

  test('is not guessed where its file is broken', () => {
    keyInFolder(directory)
    writeFileSync(join(directory, 'erasure.key'), 'half')
    expect(() => keyInFolder(directory)).toThrow('is no key of erasure')
  })
})
