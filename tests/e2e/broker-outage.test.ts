/** The brokers go away while events flow: ingest goes on answering 204; nothing is lost or counted twice. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { startBroker } from '../support/kafka-broker.ts'
import { PlaceLog } from '../support/place-log.ts'
import { until } from '../support/until.ts'
import { EventSender } from './event-sender.ts'
import type { KafkaBroker } from '../support/kafka-broker.ts'
import type { Millrace } from '../support/millrace.ts'

const CONNECTIONS = 16
const RECOVERY_MS_MAX = 180_000
const TABLES = [['user_tags', 'count()'], ['user_tags_by_cookie', 'count()'], ['user_tags_by_minute', 'sum(count)']]

describe.skipIf(inject('kafkaBrokers') === '')('the brokers are away for a while', () => {
  let directory: string
  let broker: KafkaBroker
  let millrace: Millrace
  let log: PlaceLog
  let sender: EventSender

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-outage-'))
    broker = await startBroker({ directory })
    millrace = await startMillrace({
      kind: 'kafka', brokers: broker.bootstrap, env: { BATCH_AGE_MS_MAX: '50', INGEST_BUDGET_MS: '2000' }
    })
    log = new PlaceLog(millrace.place)
    sender = new EventSender({ millrace, connections: CONNECTIONS })
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => {
    await sender?.stop()
    await log?.close()
    await millrace?.stop()
    await broker?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('ingest answers 204 without a broker, is ready, and shows what waits', async () => {
    await sender.acknowledgesMore(500, RECOVERY_MS_MAX)
    await broker.kill()
    await sender.acknowledgesMore(1000, RECOVERY_MS_MAX)
    const metrics = (await millrace.http.send({ path: '/metrics' })).text
    expect(metrics).toMatch(/^millrace_spool_records\{topic="user_tags"\} [1-9]/m)
    expect(metrics).toContain('millrace_spooling{topic="user_tags"} 1')
    const note = expect.stringMatching(/\d+ events of user_tags wait for the brokers/)
    await expect.poll(async () => {
      const { checks } = await millrace.http.getJson('/health/ready') as { checks: object[] }
      return checks
    }).toEqual(expect.arrayContaining([{ name: 'spool', ok: true, note }, { name: 'appends to user_tags', ok: true }]))
  })

  test('an ingest process that is killed meanwhile leaves its spool to the next one', async () => {
    await sender.stop()
    await millrace.killChild('serve')
    await broker.restart()
    await millrace.ready(RECOVERY_MS_MAX)
    sender = new EventSender({ millrace, connections: CONNECTIONS, after: sender })
    await sender.acknowledgesMore(500, RECOVERY_MS_MAX)
    await sender.stop()
    await until('the spool is forwarded', RECOVERY_MS_MAX, async () => {
      const { text } = await millrace.http.send({ path: '/metrics' })
      return text.includes('millrace_spooling{topic="user_tags"} 0') || undefined
    })
    await log.drained(RECOVERY_MS_MAX)
  })

  test('each acknowledged event is in every table exactly once, each other one at most once', async () => {
    for (const [table, count] of TABLES) {
      const rows = await millrace.sql<{ number: number, times: number }>(
        `SELECT toUInt32(substring(origin, 2)) AS number, ${count} AS times FROM ${table} GROUP BY number`)
      const counts = new Map(rows.map(({ number, times }) => [number, times]))
      const lost = [...sender.acknowledged].filter((number) => !counts.has(number))
      const twice = [...counts].filter(([, times]) => times !== 1)
      expect({ table, lost, twice }).toEqual({ table, lost: [], twice: [] })
    }
    console.log(`${sender.acknowledged.size} acknowledged, ${sender.unknown.size} refused or unknown`)
  })
})
