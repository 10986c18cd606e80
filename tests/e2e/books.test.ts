/** An operator at work on the whole system: a bad event is found, mended, stored once; the books say so. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { until } from '../support/until.ts'
import type { Millrace } from '../support/millrace.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const SETTLED_MS_MAX = 120_000

let millrace: Millrace
showLogOfFailures(() => millrace)
beforeAll(async () => { millrace = await startMillrace({ kind: 'embedded' }) })
afterAll(() => millrace?.stop())

/** Runs `millrace <words>` beside the running system. */
function run (...words: string[]): Promise<{ code: number, out: string, err: string }> {
  const { directory, ports } = millrace.place
  const env = {
    PATH: process.env['PATH'] ?? '',
    DATA_DIR: directory,
    CLICKHOUSE_URL: `http://127.0.0.1:${ports.clickHouse}`
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...words], { env }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err })
    })
  })
}

const stored = () => millrace.sql<{ user: string, event_id: string }>('SELECT user, event_id FROM analytics')

async function settledLedger (...words: string[]) {
  return await until('nothing is in flight', SETTLED_MS_MAX, async () => {
    const { code, out } = await run('ledger', '--json', ...words)
    const ledger = JSON.parse(out)
    return ledger.totals.in_flight === 0 ? { code, ledger } : undefined
  })
}

test('a bad event is found, mended, sent by two operators at once, and stored once', async () => {
  const seconds = Math.floor(Date.now() / 1000)
  const bad = await millrace.http.send({ method: 'POST', path: `/analytics?timestamp=${seconds}&user=u1&event=buy` })
  expect(bad.status).toBe(204)
  const [letter] = await until('the dead letter is there', SETTLED_MS_MAX, async () => {
    const { dead_letters: letters } = JSON.parse((await run('dead-letters', 'list', '--json')).out)
    return letters.length > 0 ? letters : undefined
  })
  expect(letter).toMatchObject({ stream: 'analytics', reason: 'rejected_at_ingest', state: 'open' })
  const shown = JSON.parse((await run('dead-letters', 'show', letter.id)).out)
  expect(shown.rejected_request).toContain('user=u1&event=buy')

  const event = { timestamp: new Date(seconds * 1000).toISOString(), user: 'u1', event: 'click' }
  const file = join(millrace.place.directory, 'mended.json')
  writeFileSync(file, JSON.stringify(event))
  const [command, request] = await Promise.all([
    run('dead-letters', 'retry', letter.id, '--event', file),
    millrace.http.send({
      method: 'POST',
      path: `/dead-letters/${letter.id}/retry`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(event)
    })
  ])
  expect(command.code === 0 || request.status === 200).toBe(true)
  const { code, ledger } = await settledLedger('--recount')
  expect(await stored()).toEqual([{ user: 'u1', event_id: `dead-letter:${letter.id}` }])
  expect([code, ledger.faults, ledger.totals.dead_lettered, ledger.totals.balance]).toEqual([0, [], 1, 0])

  const again = await run('dead-letters', 'retry', letter.id, '--event', file)
  expect([again.code, again.err.trim()]).toEqual([1, 'It was retried before'])
  expect((await run('dead-letters', 'list', '--state', 'retried')).out).toContain(letter.id)
  expect(await stored()).toHaveLength(1)
})

test('rows that are taken away by hand are missed, with their place', async () => {
  await millrace.sql("DELETE FROM analytics WHERE user = 'u1'")
  const { code, ledger } = await settledLedger('--recount', '--stream', 'analytics')
  expect(code).toBe(1)
  expect(ledger.faults).toMatchObject([{ kind: 'recount', table: 'analytics', expected: 1, found: 0 }])
  const { out } = await run('ledger', '--recount')
  expect(out).toMatch(/recount +analytics +analytics +\d+ .* 1 +0\n/)
  expect(out).toContain('The books DO NOT balance')
})
