/** Whose rows a receipt counts, and which tables an erasure reaches besides those of the schema. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pageViews } from '../../contract/index.ts'
import { openTombstones } from '../../cli/erasure-part.ts'
import { LEASE_MS, SubjectHasher, TombstoneLease } from '../../erasure/index.ts'
import { carryOut } from '../../erasure/erasure-job.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { Bench, TENANT } from './job-bench.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const SUBJECT = 'erased-subject'

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse?.close())

function viewsOf (subject: string, count: number) {
  return Array.from({ length: count }, (_unused, n) => ({
    timestamp: '2026-03-04T05:06:07Z', user_id: subject, name: `p${n}`
  }))
}

async function erase (bench: Bench, ...streams: string[]): Promise<string> {
  return (await bench.erasures.create({ tenant: TENANT, subject: SUBJECT, streams })).id
}

/** Rows that were masked in each table, by a receipt; without tables that had none. */
async function maskedBy (bench: Bench, id: string): Promise<Record<string, number>> {
  const { tables } = await bench.erasures.show(TENANT, id)
  return Object.fromEntries(tables.filter(({ rows_masked: rows }) => rows > 0)
    .map(({ table, rows_masked: rows }) => [table, rows]))
}

test('of erasures of one subject that share a batch, each counts the rows that it was the first to mean', async () => {
  const bench = await Bench.open(clickHouse)
  await bench.rows.store(pageViews, TENANT, viewsOf(SUBJECT, 3), Date.now() - 60_000)
  await bench.rows.store(pageViews, TENANT, viewsOf('other', 2), Date.now() - 60_000)
  await bench.deadLetter(SUBJECT, 1)
  const first = await erase(bench, 'page_views')
  const elsewhere = await erase(bench, 'visits')
  await bench.rows.store(pageViews, TENANT, viewsOf(SUBJECT, 2))
  const second = await erase(bench, 'page_views', 'visits')
  const third = await erase(bench, 'page_views')
  await carryOut(bench.options, new AbortController().signal)
  expect(new Set((await bench.store.list(TENANT, 10, undefined)).map(({ batch }) => batch)).size).toBe(1)
  expect(await maskedBy(bench, first)).toEqual({ dead_letters: 1, page_views: 3, page_views_by_user: 3 })
  expect(await maskedBy(bench, second)).toEqual({ page_views: 2, page_views_by_user: 2 })
  for (const id of [elsewhere, third]) expect(await maskedBy(bench, id)).toEqual({})
  expect(await bench.placesOf(SUBJECT)).toEqual([])
})

test('dead letters that name no subject are found and deleted by the statements of docs/erasure.md', async () => {
  const bench = await Bench.open(clickHouse)
  const { writeClient: client } = bench.database
  await bench.deadLetter(SUBJECT, 1, '')
  await bench.deadLetter('other', 2, '')
  const page = readFileSync(join(import.meta.dirname, '../../docs/erasure.md'), 'utf8')
  const [find = '', ...steps] = (/```sql\n(.*?)```/s.exec(page)?.[1] ?? '').split(';').map((text) => text.trim())
  const found = await bench.sql<{ id: string }>(find, { text: SUBJECT })
  expect(found.map(({ id }) => id)).toEqual(['page_views-0-1'])
  const ids = found.map(({ id }) => id)
  for (const query of steps.filter((step) => step !== '')) await client.command({ query, query_params: { ids } })
  expect(await bench.placesOf(SUBJECT)).toEqual([])
  expect(await bench.sql('SELECT id FROM dead_letters')).toEqual([{ id: 'page_views-0-2' }])
  expect(await bench.sql("SELECT toUInt32(offset) AS offset FROM erased_positions FINAL WHERE table = 'dead_letters'"))
    .toEqual([{ offset: 1 }])
})

test('who holds tombstones in memory reads no complete one that is too old, but is told of it', async () => {
  const bench = await Bench.open(clickHouse)
  const [nowMs, hourMs, keepMs] = [Date.now(), 3_600_000, 2 * 3_600_000]
  const erasures = ['recent', 'old', 'older', 'open'].map((id, ageHours) => ({
    id,
    tenant: TENANT,
    subjectHash: id,
    keyId: id === 'older' ? 'lost' : 'k',
    streams: ['visits'],
    cutoffMs: nowMs - 1 - ageHours * 2 * hourMs
  }))
  for (const erasure of erasures) {
    await bench.store.insert(erasure)
    const row = { ...erasure, insertedAtMs: nowMs, state: 'waiting' as const, batch: 1 }
    await bench.store.advance([row], 1, erasure.id === 'open' ? 'masked' : 'removed')
  }
  const kept = await bench.store.changedSince(0, keepMs)
  expect(kept.changed.map(({ id }) => id).toSorted()).toEqual(['open', 'recent'])
  expect(kept.forgottenUntilMs).toBe(erasures[1]?.cutoffMs)
  expect(kept.keyIds.toSorted()).toEqual(['k', 'lost'])
  const all = await bench.store.changedSince(0, Infinity)
  expect([all.changed.length, all.forgottenUntilMs]).toEqual([4, undefined])
})

test('a role with another key than old erasures were made with is refused from its first read on', async () => {
  const bench = await Bench.open(clickHouse)
  const hasher = new SubjectHasher('another secret of 32 characters or more')
  const erasure = {
    id: 'old', tenant: TENANT, subjectHash: 'h', keyId: 'lost', streams: ['visits'], cutoffMs: 1, batch: 1
  }
  await bench.store.advance([{ ...erasure, insertedAtMs: 1, state: 'removed' }], 1, 'removed')
  const lease = openTombstones(bench.database.writeClient, hasher, 1_000)
  await expect(lease.current()).rejects.toThrow('another ERASURE_KEY')
})

test('an erasure that is complete only when it is old leaves the memory of whoever knew it before', async () => {
  const bench = await Bench.open(clickHouse)
  let clockMs = 0
  const lease = new TombstoneLease({
    keepMs: 1_000, monotonicMs: () => clockMs, read: (...since) => bench.store.changedSince(...since)
  })
  const erasure = {
    id: 'slow', tenant: TENANT, subjectHash: 'h', keyId: 'k', streams: ['visits'], cutoffMs: 5_000, batch: 1
  }
  const advance = async (state: 'collecting' | 'removed') => {
    await bench.store.advance([{ ...erasure, insertedAtMs: 5_000, state }], 1, state)
    clockMs += LEASE_MS
    return await lease.current()
  }
  expect((await advance('collecting')).hiding(TENANT)).toHaveLength(1)
  const known = await advance('removed')
  expect([known.hiding(TENANT), known.size, known.forgottenUntilMs]).toEqual([[], 0, 5_000])
})

test('the tables that a replay has left behind are erased like those of the schema, and are in the receipt', async () => {
  const bench = await Bench.open(clickHouse)
  const { writeClient: client, config: { database } } = bench.database
  for (const subject of [SUBJECT, 'other']) await bench.rows.store(pageViews, TENANT, viewsOf(subject, 3))
  for (const [name, like] of [['page_views_by_user__replay', 'page_views_by_user'], ['some_views', 'page_views']]) {
    const query = `CREATE TABLE ${database}.${name} AS ${database}.${like} COMMENT '{"stream":"page_views"}'`
    await client.command({ query })
    await client.command({ query: `INSERT INTO ${database}.${name} SELECT * FROM ${database}.${like}` })
  }
  // Masked by a replay that was killed before it could remove them.
  await client.command({ query: `DELETE FROM ${database}.some_views WHERE user_id = '${SUBJECT}' AND name = 'p0'` })
  const id = await erase(bench, 'page_views')
  await carryOut(bench.options, new AbortController().signal)
  expect(await maskedBy(bench, id)).toEqual({
    page_views: 3, page_views_by_user: 3, page_views_by_user__replay: 3, some_views: 2
  })
  expect(await bench.placesOf(SUBJECT)).toEqual([])
  for (const table of ['page_views_by_user__replay', 'some_views']) {
    expect(await bench.sql(`SELECT DISTINCT user_id FROM ${table}`)).toEqual([{ user_id: 'other' }])
  }
})
