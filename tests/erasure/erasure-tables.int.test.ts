/** Whose rows a receipt counts, and which tables an erasure reaches besides those of the schema. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pageViews } from '../../contract/index.ts'
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
