/** Tombstones are held in memory only as long as the log may have what they erase. */
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { recordKey } from '../../contract/index.ts'
import {
  SubjectHasher, TombstoneLease, Tombstones, recordErasures, registerTombstoneMetric
} from '../../erasure/index.ts'
import type { Tombstone, TombstonesRead } from '../../erasure/index.ts'

const KEEP_MS = 1_000_000
const hasher = new SubjectHasher('k'.repeat(32))

function tombstone (subject: string, cutoffMs: number, state: Tombstone['state'] = 'removed'): Tombstone {
  return {
    id: subject,
    tenant: 'acme',
    subjectHash: hasher.hash(recordKey('acme', subject)),
    keyId: hasher.keyId,
    streams: ['page_views'],
    cutoffMs,
    insertedAtMs: cutoffMs,
    state,
    batch: 1
  }
}

function view (subject: string, timestampMs: number) {
  return { stream: 'page_views', timestampMs, key: () => recordKey('acme', subject) }
}

/** Whatever is stored, as the database gives it to who reads for the first time. */
function readOf (stored: readonly Tombstone[], nowMs: number, keepMs: number): TombstonesRead {
  const keeps = ({ state, cutoffMs }: Tombstone): boolean => {
    return state !== 'removed' || cutoffMs >= nowMs - keepMs
  }
  const leftOut = stored.filter((each) => !keeps(each)).map(({ cutoffMs }) => cutoffMs)
  const changed = stored.filter(keeps)
  const isAll = leftOut.length === 0
  return { nowMs, changed, ...(isAll ? {} : { forgottenUntilMs: Math.max(...leftOut) }) }
}

test('a complete erasure is forgotten once the log is rid of what it erases; an open one never is', () => {
  const nowMs = 5 * KEEP_MS
  const kept = { keptFromMs: nowMs - KEEP_MS }
  const all = [tombstone('old', 1), tombstone('open', 2, 'masked'), tombstone('young', kept.keptFromMs)]
  const known = new Tombstones(0).with(nowMs, all, kept)
  expect([known.size, known.forgottenUntilMs]).toEqual([2, 1])
  const later = known.with(nowMs + 1, [tombstone('next', nowMs)], { keptFromMs: kept.keptFromMs + 1 })
  expect([later.size, later.forgottenUntilMs]).toEqual([2, kept.keptFromMs])
  expect(later.erases(view('next', nowMs), hasher, 2 * nowMs)).toBe(true)
})

test('the version of a tenant is never again what it was before one of its erasures was forgotten', () => {
  const before = new Tombstones(0).with(1, [tombstone('a', 1)])
  const versions = [new Tombstones(0), before]
  for (let step = 1; step <= 5; step += 1) {
    const cutoffMs = step * KEEP_MS
    const [last, news] = [versions.at(-1) as Tombstones, tombstone(`s${step}`, cutoffMs)]
    versions.push(last.with(cutoffMs, [news], { keptFromMs: cutoffMs }))
  }
  expect(new Set(versions.map((each) => each.versionOf('acme'))).size).toBe(versions.length)
})

test('a record that is older than what is kept is refused once, and judged by all tombstones after that', async () => {
  const stored = [tombstone('erased', 100)]
  const nowMs = 3 * KEEP_MS
  const lease = new TombstoneLease({
    keepMs: KEEP_MS,
    monotonicMs: () => 0,
    read: async (_sinceMs, keepMs) => readOf(stored, nowMs, keepMs)
  })
  const erasures = recordErasures(lease, hasher)
  const known = await erasures.current()
  expect(lease.size).toBe(0)
  expect(known.isErased(view('erased', 101), nowMs)).toBe(false)
  expect(() => known.isErased(view('erased', 100), nowMs)).toThrow('older than the erasures that are kept')
  const all = await erasures.current()
  expect(lease.size).toBe(1)
  expect([all.isErased(view('erased', 100), nowMs), all.isErased(view('other', 100), nowMs)]).toEqual([true, false])
})

test('the metric says how many tombstones are held, and not those that are forgotten', async () => {
  const nowMs = 5 * KEEP_MS
  const stored = [tombstone('old', 1), tombstone('open', 2, 'masked'), tombstone('young', nowMs)]
  const lease = new TombstoneLease({
    keepMs: KEEP_MS, read: async (_since, keepMs) => readOf(stored, nowMs, keepMs)
  })
  const registry = new Registry()
  registerTombstoneMetric(registry, lease)
  expect(await registry.metrics()).toMatch(/^millrace_erasure_tombstones 0$/m)
  await lease.current()
  expect(await registry.metrics()).toMatch(/^millrace_erasure_tombstones 2$/m)
})
