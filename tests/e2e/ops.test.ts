/** What an operator sees: health and metrics, and how the system bears the loss of what it stands on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { startBroker } from '../support/kafka-broker.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { until } from '../support/until.ts'
import { range, tag } from './user-tag-events.ts'
import type { HttpAnswer, HttpClient } from '../support/http-client.ts'
import type { LogKind } from '../support/each-log.ts'
import type { Millrace } from '../support/millrace.ts'

const DAY = range('2022-03-22T00:00:00', '2022-03-23T00:00:00')
const READY_MS_MAX = 60_000
const BUDGET_MS = 1_000
const REFUSALS = 20
/** Half of what they would take one behind the other: a busy machine may add to a budget. */
const REFUSAL_MS_MAX = BUDGET_MS * REFUSALS / 2
const LOCK_HOLDER = fileURLToPath(new URL('../eventlog/embedded-lock-holder.ts', import.meta.url))
const LOG_BYTES_MAX = 2 ** 28

/** The log of a system, which a test can take away and give back. */
interface Outage {
  brokers?: string
  /** Nothing of the log answers from now on; resolves to what ends that. */
  begin: (millrace: Millrace) => Promise<() => Promise<void>>
  close: () => Promise<void>
}

/** Another process stands still in the middle of a write to the embedded log. */
function embeddedOutage (): Outage {
  return {
    begin: async ({ place }) => {
      const path = join(place.directory, 'log/topics.mdb')
      const holder = spawn(process.execPath, [LOCK_HOLDER, path, String(LOG_BYTES_MAX)], {
        stdio: ['ignore', 'pipe', 'inherit']
      })
      await once(holder.stdout, 'data')
      return async () => {
        const gone = once(holder, 'close')
        holder.kill('SIGKILL')
        await gone
      }
    },
    close: async () => {}
  }
}

/** A broker of the test's own is killed and started anew. */
async function kafkaOutage (): Promise<Outage> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-e2e-kafka-'))
  const broker = await startBroker({ directory })
  return {
    brokers: broker.bootstrap,
    begin: async () => {
      await broker.kill()
      return () => broker.restart()
    },
    close: async () => {
      await broker.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

function outageOf (kind: LogKind): Outage | Promise<Outage> {
  return kind === 'embedded' ? embeddedOutage() : kafkaOutage()
}

describeOnEachLog('operations', (kind) => {
  let outage: Outage
  let millrace: Millrace

  beforeAll(async () => {
    outage = await outageOf(kind)
    const { brokers } = outage
    // With a spool events would be taken while the brokers are away: that has a test of its own.
    const env = {
      LOG_BYTES_MAX: String(LOG_BYTES_MAX),
      INGEST_BUDGET_MS: String(BUDGET_MS),
      QUERY_TIMEOUT_MS: '4000',
      SPOOL_BYTES_MAX: '0'
    }
    millrace = await startMillrace({ kind, env, ...(brokers === undefined ? {} : { brokers }) })
    // On Kafka the first event connects a producer, which may take longer than the budget.
    await until('an event is accepted', READY_MS_MAX, async () => {
      return (await millrace.post(tag({ cookie: 'first' }))).status === 204 || undefined
    })
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => {
    await millrace?.stop()
    await outage?.close()
  })

  const statusOf = async (path: string) => (await millrace.http.send({ path })).status
  const views = async (cookie: string) => (await millrace.profile(cookie, DAY)).views.length
  const posts = async (cookie: string, count: number): Promise<HttpAnswer[]> => {
    return await Promise.all(Array.from({ length: count }, () => millrace.post(tag({ cookie }))))
  }

  test('both listeners tell that they live, are ready, and what they depend on', async () => {
    for (const client of [millrace.http, millrace.processors]) {
      expect(await client.getJson('/health/live')).toEqual({ status: 'ok' })
      await expect.poll(() => client.getJson('/health/ready')).toMatchObject({ status: 'ok' })
      await expect.poll(() => client.getJson('/health/dependencies')).toEqual({
        status: 'ok', checks: [{ name: 'event log', ok: true }, { name: 'clickhouse', ok: true }]
      })
    }
  })

  test('metrics count what was accepted, refused, stored and asked', async () => {
    const stream = { stream: 'user_tags' }
    const counts = async () => ({
      accepted: await millrace.metric('millrace_events_accepted_total', stream),
      refused: await millrace.metric('millrace_events_rejected_total', { ...stream, code: 'malformed_json' }),
      stored: await millrace.metric('millrace_events_stored_total', stream, millrace.processors),
      posts: await millrace.metric('http_request_duration_seconds_count', { route: '/user_tags', status_code: '204' }),
      profiles: await millrace.metric('http_request_duration_seconds_count', { route: '/user_profiles/:cookie' }),
      batched: await millrace.metric('millrace_batch_records_sum', stream, millrace.processors)
    })
    // The first event is stored before anything is counted.
    const settled = async () => {
      const { accepted, stored } = await counts()
      return accepted === stored
    }
    await expect.poll(settled).toBe(true)
    const before = await counts()
    await millrace.postAll(Array.from({ length: 50 }, () => tag({ cookie: 'counted' })))
    expect((await millrace.post('{')).status).toBe(400)
    await millrace.profile('nobody', DAY)
    await expect.poll(counts).toEqual({
      accepted: before.accepted + 50,
      refused: before.refused + 1,
      stored: before.stored + 50,
      posts: before.posts + 50,
      profiles: before.profiles + 1,
      batched: before.batched + 50
    })
    const lag = () => millrace.metric('millrace_consumer_lag_records', {}, millrace.processors)
    await expect.poll(lag).toBe(0)
  })

  test('both listeners expose every metric that dashboards and alerts stand on', async () => {
    const names = async (client: HttpClient) => {
      const { text } = await client.send({ path: '/metrics' })
      return [...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1])
    }
    expect(await names(millrace.http)).toEqual(expect.arrayContaining([
      'millrace_events_accepted_total', 'millrace_events_rejected_total', 'millrace_ingest_queue_records',
      'millrace_ingest_append_seconds', 'millrace_ingest_append_records', 'millrace_query_duration_seconds',
      'millrace_query_batch_size', 'millrace_query_queue_length', 'http_request_duration_seconds'
    ]))
    expect(await names(millrace.processors)).toEqual(expect.arrayContaining([
      'millrace_events_stored_total', 'millrace_events_dead_lettered_total', 'millrace_delivery_retries_total',
      'millrace_log_records_missing_total', 'millrace_batch_records', 'millrace_store_delay_seconds',
      'millrace_consumer_lag_records', 'http_request_duration_seconds'
    ]))
  })

  test('while ClickHouse is down events are accepted, readiness says so, and afterwards they are all there', async () => {
    const pid = millrace.pidOf('clickhouse')
    process.kill(pid, 'SIGSTOP')
    try {
      await expect.poll(() => statusOf('/health/ready')).toBe(503)
      expect(await statusOf('/health/live')).toBe(200)
      expect(await statusOf('/health/dependencies')).toBe(503)
      const answers = await posts('patient', 100)
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 204))
      const refused = await millrace.http.send({ method: 'POST', path: `/user_profiles/patient?${DAY}` })
      expect([refused.status, JSON.parse(refused.text).code]).toEqual([503, 'storage_unavailable'])
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await expect.poll(() => statusOf('/health/ready')).toBe(200)
    await expect.poll(() => views('patient')).toBe(100)
  })

  test('when ClickHouse is killed it comes back, and what was accepted meanwhile is all there', async () => {
    await millrace.killChild('clickhouse')
    const answers = await posts('survivor', 100)
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 204))
    await expect.poll(() => statusOf('/health/ready')).toBe(200)
    await expect.poll(() => views('survivor')).toBe(100)
  })

  test('while the log does not answer an event is refused within its budget, and taken again afterwards', async () => {
    const end = await outage.begin(millrace)
    try {
      // Each of them waits out its own budget: none waits behind the others.
      for (let round = 0; round < 3; round++) {
        for (const { status, headers, text, elapsedMs } of await posts('refused', REFUSALS)) {
          expect([status, JSON.parse(text).code]).toEqual([503, 'log_unavailable'])
          expect(Number(headers['retry-after'])).toBeGreaterThan(0)
          expect(elapsedMs).toBeLessThan(REFUSAL_MS_MAX)
        }
      }
      expect(await statusOf('/health/live')).toBe(200)
      await expect.poll(() => statusOf('/health/ready')).toBe(503)
      await expect.poll(() => views('patient')).toBe(100)
    } finally {
      await end()
    }
    await expect.poll(async () => (await millrace.post(tag({ cookie: 'again' }))).status).toBe(204)
    await expect.poll(() => views('again')).toBeGreaterThan(0)
    await expect.poll(() => statusOf('/health/ready')).toBe(200)
    await expect.poll(() => statusOf('/health/dependencies')).toBe(200)
  })
})
