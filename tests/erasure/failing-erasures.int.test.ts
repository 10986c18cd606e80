/** Erasures that fail: they hold nobody up, they are counted, and they are tried again. */
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pageViews, recordKey, userTags, visits } from '../../contract/index.ts'
import { createErasureMetrics } from '../../erasure/index.ts'
import { carryOut } from '../../erasure/erasure-job.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { Bench, TENANT } from './job-bench.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const AGE_SECONDS = 90

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse?.close())

test('erasures that fail hold up nobody, of whatever organisation; they are logged, counted and tried again', async () => {
  const bench = await Bench.open(clickHouse)
  const { writeClient: client, config: { database } } = bench.database
  await bench.rows.storeAll(TENANT, 'gone')
  await bench.rows.storeAll('globex', 'gone')
  /** Straight into the table, as another release or a command of one may have done. */
  const cutoffMs = Date.now()
  const insert = async (id: string, tenant: string, streams: string[]): Promise<void> => {
    const { hasher } = bench.options
    const subjectHash = hasher.hash(recordKey(tenant, 'gone'))
    await bench.store.insert({ id, tenant, subjectHash, keyId: hasher.keyId, streams, cutoffMs })
  }
  await insert('1-unknown', TENANT, ['page_viewz'])
  await insert('2-log-away', TENANT, [userTags.name])
  await insert('3-table-away', TENANT, [visits.name, pageViews.name])
  await insert('4-able', TENANT, [pageViews.name])
  await insert('5-able', 'globex', [pageViews.name])
  await client.command({ query: `RENAME TABLE ${database}.visits TO ${database}.elsewhere` })

  const registry = new Registry()
  const warned: Array<{ erasures: string[] }> = []
  let logAnswers = false
  const options = {
    ...bench.options,
    metrics: createErasureMetrics(registry, () => cutoffMs + AGE_SECONDS * 1000),
    log: {
      info: () => undefined, warn: (fields: object) => { warned.push(fields as { erasures: string[] }) }
    },
    progress: {
      ...bench.options.progress,
      ends: async (stream: string) => {
        if (stream === userTags.name && !logAnswers) throw new Error('no such topic')
        return new Map([[0, 7]])
      }
    }
  }
  const statesOf = async () => {
    const all = [...await bench.store.list(TENANT, 10, undefined), ...await bench.store.list('globex', 10, undefined)]
    return Object.fromEntries(all.map(({ id, state }) => [id, state]))
  }
  const measured = async (name: string): Promise<string[]> => {
    return (await registry.metrics()).split('\n').filter((line) => line.startsWith(name))
  }
  await carryOut(options, new AbortController().signal)
  expect(await statesOf()).toEqual({
    '1-unknown': 'waiting', '2-log-away': 'waiting', '3-table-away': 'collecting', '4-able': 'removed', '5-able': 'removed'
  })
  expect(await bench.sql('SELECT tenant FROM page_views')).toEqual([])
  expect(warned.map(({ erasures }) => erasures)).toEqual([['1-unknown'], ['2-log-away'], ['3-table-away']])
  expect(await measured('millrace_erasure')).toEqual([
    'millrace_erasure_failures_total 3',
    'millrace_erasures_pending{state="waiting"} 2',
    'millrace_erasures_pending{state="collecting"} 1',
    'millrace_erasures_pending{state="masked"} 0',
    `millrace_erasures_oldest_pending_seconds ${AGE_SECONDS}`
  ])

  logAnswers = true
  await client.command({ query: `RENAME TABLE ${database}.elsewhere TO ${database}.visits` })
  await carryOut(options, new AbortController().signal)
  expect(await statesOf()).toMatchObject({ '1-unknown': 'waiting', '2-log-away': 'removed', '3-table-away': 'removed' })
  expect(await bench.sql('SELECT tenant FROM visits UNION ALL SELECT tenant FROM user_tags'))
    .toEqual([{ tenant: 'globex' }, { tenant: 'globex' }])
  expect(await measured('millrace_erasure_failures_total')).toEqual(['millrace_erasure_failures_total 4'])
  expect(await measured('millrace_erasures_pending{state="waiting"}')).toEqual(['millrace_erasures_pending{state="waiting"} 1'])

  await bench.store.advance((await bench.store.open()), 9, 'removed')
  await carryOut(options, new AbortController().signal)
  expect(await measured('millrace_erasures_oldest')).toEqual(['millrace_erasures_oldest_pending_seconds 0'])
})
