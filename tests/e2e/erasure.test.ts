/** Subjects are erased while their events arrive and a processor is killed. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { PlaceLog } from '../support/place-log.ts'
import { until } from '../support/until.ts'
import { EraseLoad } from './erase-load.ts'
import type { Receipt } from '../../erasure/index.ts'
import type { Millrace } from '../support/millrace.ts'

const SUBJECTS = 10_000
const ERASED = 100
const DONE_MS_MAX = 120_000

let millrace: Millrace
let log: PlaceLog
let load: EraseLoad
const ids: string[] = []

beforeAll(async () => {
  millrace = await startMillrace({ kind: 'embedded', env: { BATCH_AGE_MS_MAX: '200' } })
  log = new PlaceLog(millrace.place)
  load = new EraseLoad({ millrace, subjects: SUBJECTS })
})
showLogOfFailures(() => millrace)
afterAll(async () => {
  await load?.stop()
  await log?.close()
  await millrace?.stop()
})

test('100 of 10,000 subjects are erased under load, while a processor is killed, each with a receipt', async () => {
  await until('every subject has an event', DONE_MS_MAX, () => load.acknowledgedCount >= SUBJECTS || undefined)
  for (let n = 0; n < ERASED; n += 10) {
    if (n === ERASED / 2) await millrace.killChild('processors')
    ids.push(...await Promise.all(Array.from({ length: 10 }, (_unused, each) => load.erase((n + each) * 7))))
  }
  await load.stop()
  await log.drained(DONE_MS_MAX)
  for (const id of ids) {
    const receipt = await until(`${id} is removed`, DONE_MS_MAX, async () => {
      const { text } = await millrace.http.send({ path: `/erasures/${id}` })
      const found = JSON.parse(text) as Receipt
      return found.state === 'removed' ? found : undefined
    })
    expect(receipt.tables.map(({ table }) => table)).toContain('page_views_by_user')
    const unfinished = receipt.tables.filter((table) => table.rows_left > 0 || table.removed_at === null)
    expect(unfinished).toEqual([])
  }
})

test('what was acknowledged before an erasure is gone from every table, and everybody else is there to the row', async () => {
  for (const table of ['page_views', 'page_views_by_user']) {
    const stored = await load.storedIn(table)
    expect({ table, ...load.judge(stored) }).toEqual({ table, erasedButThere: [], lost: [], twice: [] })
  }
  console.log(load.summary())
})

test('the books balance: what the log took is stored, erased from a table, or dropped as erased', async () => {
  const [books] = await millrace.sql<Record<'stored' | 'erased' | 'records', number>>(
    `SELECT sum(stored) AS stored, sum(erased) AS erased, sum(last_offset - first_offset + 1) AS records
     FROM batches WHERE stream = 'page_views'`)
  const [rows] = await millrace.sql<Record<'there' | 'positions', number>>(
    `SELECT (SELECT count() FROM page_views) AS there,
     (SELECT count() FROM erased_positions FINAL WHERE table = 'page_views') AS positions`)
  expect(books?.stored).toBe(Number(rows?.there) + Number(rows?.positions))
  expect(books?.records).toBe(Number(books?.stored) + Number(books?.erased))
})
