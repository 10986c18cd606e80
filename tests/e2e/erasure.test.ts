/** Subjects are erased while their events arrive and a processor is killed, and a replay keeps them out. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { PlaceLog } from '../support/place-log.ts'
import { until } from '../support/until.ts'
import { EraseLoad } from './erase-load.ts'
import { replayCommand, runReplay } from './run-replay.ts'
import type { Receipt } from '../../erasure/index.ts'
import type { Millrace } from '../support/millrace.ts'

const SUBJECTS = 10_000
const ERASED = 100
const DONE_MS_MAX = 300_000
/** Every other column of a row counts too. */
const DIGEST = 'count() AS rows, groupBitXor(cityHash64(toString(tuple(*)))) AS digest'

describeOnEachLog('an erasure under load', (kind) => {
  let millrace: Millrace
  let log: PlaceLog
  let load: EraseLoad
  /** By subject. */
  const receipts = new Map<string, Receipt>()

  async function replay (...args: string[]): Promise<string> {
    return await runReplay(replayCommand(millrace.place, ['page_views', ...args]))
  }

  /** Rows that arrived up to the cut-off of their subject's erasure. */
  async function erasedRowsOf (table: string): Promise<number> {
    const subjects = [...receipts.keys()].map((subject) => `'${subject}'`)
    const cutoffs = [...receipts.values()].map(({ cutoff }) => Date.parse(cutoff))
    const [row] = await millrace.sql<{ rows: number }>(`
SELECT count() AS rows FROM ${table}
WHERE toUnixTimestamp64Milli(received_at) <= transform(user_id, [${subjects}], [${cutoffs}], toInt64(-1))`)
    return row?.rows ?? NaN
  }

  beforeAll(async () => {
    millrace = await startMillrace({ kind, env: { BATCH_AGE_MS_MAX: '200' } })
    log = new PlaceLog(millrace.place, ['page_views'])
    load = new EraseLoad({ millrace, subjects: SUBJECTS })
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => {
    await load?.stop()
    await log?.close()
    await millrace?.stop()
  })

  test('100 of 10,000 subjects are erased, while a processor is killed, each with a receipt', async () => {
    const ids: Array<[subject: string, id: string]> = []
    await until('every subject has an event', DONE_MS_MAX, () => load.acknowledgedCount >= SUBJECTS || undefined)
    for (let n = 0; n < ERASED; n += 10) {
      if (n === ERASED / 2) await millrace.killChild('processors')
      const subjects = Array.from({ length: 10 }, (_unused, each) => (n + each) * 7)
      ids.push(...await Promise.all(subjects.map(async (subject): Promise<[string, string]> => {
        return [`s${subject}`, await load.erase(subject)]
      })))
    }
    await load.stop()
    await log.drained(DONE_MS_MAX)
    for (const [subject, id] of ids) {
      const receipt = await until(`${id} is removed`, DONE_MS_MAX, async () => {
        const { text } = await millrace.http.send({ path: `/erasures/${id}` })
        const found = JSON.parse(text) as Receipt
        return found.state === 'removed' ? found : undefined
      })
      expect(receipt.tables.map(({ table }) => table)).toContain('page_views_by_user')
      const unfinished = receipt.tables.filter((table) => table.rows_left > 0 || table.removed_at === null)
      expect(unfinished).toEqual([])
      receipts.set(subject, receipt)
    }
    expect(receipts.size).toBe(ERASED)
  })

  test('what was acknowledged before an erasure is gone from every table, and everybody else is there to the row', async () => {
    for (const table of ['page_views', 'page_views_by_user']) {
      const stored = await load.storedIn(table)
      expect({ table, ...load.judge(stored) }).toEqual({ table, erasedButThere: [], lost: [], twice: [] })
      expect(await erasedRowsOf(table)).toBe(0)
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
    expect(rows?.positions).toBeGreaterThanOrEqual(ERASED)
    expect(books?.stored).toBe(Number(rows?.there) + Number(rows?.positions))
    expect(books?.records).toBe(Number(books?.stored) + Number(books?.erased))
  })

  test('a replay of the whole log brings back not one row of them, and everybody else to the row', async () => {
    const digestOf = async (table: string) => (await millrace.sql<object>(`SELECT ${DIGEST} FROM ${table}`))[0]
    const [raw, bySubject] = await Promise.all([digestOf('page_views'), digestOf('page_views_by_user')])
    expect(await replay('--rebuild', 'page_views_by_user')).toMatch(/^page_views_by_user: \d+ events\.$/m)
    expect(await replay('--into', 'page_views_again'))
      .toMatch(/^page_views_again: \d+ events\. page_views has as many of the same records\.$/m)
    expect(await digestOf('page_views_by_user')).toEqual(bySubject)
    expect(await digestOf('page_views_again')).toEqual(raw)
    for (const table of ['page_views', 'page_views_by_user', 'page_views_again']) {
      expect({ table, erased: await erasedRowsOf(table) }).toEqual({ table, erased: 0 })
    }
  })
})
