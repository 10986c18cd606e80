/**
 * The demo: starts the whole system, lets the synthetic retailer send it events, and prints one line a second
 * of what came in, what is stored, and how fresh the answers are. Ends on Ctrl-C, or after DEMO_SECONDS, and
 * stops the system too.
 */
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DemoShop } from './demo-shop.ts'
import { LoopbackClient } from './loopback-client.ts'
import { aggregateRow, metricSum, newestAction, renderSecond, renderTotals } from './demo-line.ts'
import { demoSettings, loadConfig } from './config.ts'
import { distributionOf } from './percentiles.ts'
import { ROOT, exitOf, isPortFree, startRole } from './child-process.ts'
import { probeOnce } from './freshness.ts'
import type { DemoConfig } from './config.ts'
import type { StartedRole } from './child-process.ts'

const CONNECTIONS_MAX = 128
const AGGREGATE_EVERY_SECONDS = 5
const MINUTE_MS = 60_000
/** After the last event: how long the demo waits for it to be stored. */
const DRAIN_MS_MAX = 10_000

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort())

try {
  await demo(loadConfig(demoSettings, process.env), stopping)
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}

async function demo (config: DemoConfig, stop: AbortController): Promise<void> {
  await requirePorts(config)
  console.log('Starting the system…')
  const logFile = join(resolve(ROOT, config.DATA_DIR), 'demo.log')
  const system = await startWithLog(logFile, stop.signal)
  const client = new LoopbackClient({ baseUrl: system.url, connectionsMax: CONNECTIONS_MAX })
  const processors = new LoopbackClient({
    baseUrl: `http://127.0.0.1:${config.PROCESSORS_PORT}`, connectionsMax: 1
  })
  try {
    exitOf(system.process).then((code) => {
      if (!stop.signal.aborted) fail(`the system ended with ${code}; see ${logFile}`, stop)
    }, (error: unknown) => fail(String(error), stop))
    console.log(`Open at ${system.url}: ${config.DEMO_RATE} events a second are on their way. Ctrl-C ends both.\n`)
    await runShop({ config, client, processors, stop })
  } finally {
    client.close()
    processors.close()
    stop.abort()
    await system.stop()
    if (statSync(logFile).size > 0) console.log(`The system had something to say: ${logFile}`)
  }
}

/** The system's log goes to a file: one bad second would push the demo's own lines off the screen. */
async function startWithLog (logFile: string, signal: AbortSignal): Promise<StartedRole> {
  mkdirSync(dirname(logFile), { recursive: true })
  const output = openSync(logFile, 'w')
  try {
    return await startRole('start', { ...process.env, LOG_LEVEL: 'warn', LOG_FORMAT: 'json' }, signal, output)
  } catch (error) {
    if (!signal.aborted) console.error(readFileSync(logFile, 'utf8').trimEnd())
    throw error
  } finally {
    closeSync(output)
  }
}

interface Demo {
  config: DemoConfig
  client: LoopbackClient
  processors: LoopbackClient
  stop: AbortController
}

async function runShop ({ config, client, processors, stop }: Demo): Promise<void> {
  const shop = new DemoShop({ client, perSecond: config.DEMO_RATE, seed: config.DEMO_SEED })
  const freshness = { accepted: 0, delayMs: undefined as number | undefined }
  const startMs = performance.now()
  const limit = config.DEMO_SECONDS === undefined
    ? undefined
    : setTimeout(() => stop.abort(), config.DEMO_SECONDS * 1000)
  const probing = keepProbing({ client, seed: config.DEMO_SEED, freshness, signal: stop.signal })
  const selling = shop.run(stop.signal)
  let acceptedBefore = 0
  for (let second = 1; !stop.signal.aborted; second += 1) {
    const restMs = Math.max(0, startMs + second * 1000 - performance.now())
    await delay(restMs, undefined, { signal: stop.signal }).catch(() => undefined)
    if (stop.signal.aborted) break
    const accepted = shop.accepted + freshness.accepted
    const [example, books] = await Promise.all([exampleAnswer(client, shop, second), readBooks(processors)])
    console.log(renderSecond({
      elapsedSeconds: second,
      accepted,
      acceptedThisSecond: accepted - acceptedBefore,
      ...books,
      freshnessMs: freshness.delayMs,
      postP99Ms: distributionOf(shop.takeLatencies()).p99,
      example
    }))
    acceptedBefore = accepted
  }
  clearTimeout(limit)
  const elapsedSeconds = (performance.now() - startMs) / 1000
  await Promise.all([selling, probing])
  const accepted = shop.accepted + freshness.accepted
  const stored = await drained(processors, accepted)
  console.log(`\n${renderTotals({ elapsedSeconds, accepted, stored, refused: shop.refused, skipped: shop.skipped })}`)
}

/** One probe after the other: the last one's delay is what the line shows. */
async function keepProbing ({ client, seed, freshness, signal }: {
  client: LoopbackClient
  seed: number
  freshness: { accepted: number, delayMs: number | undefined }
  signal: AbortSignal
}): Promise<void> {
  while (!signal.aborted) {
    const probe = await probeOnce({ client, seed })
    if (probe.accepted) {
      freshness.accepted += 1
      freshness.delayMs = probe.delayMs
    }
    await delay(200, undefined, { signal }).catch(() => undefined)
  }
}

/** What the system answers to a reader: a profile, and now and then an aggregate. Empty where it does not. */
async function exampleAnswer (client: LoopbackClient, shop: DemoShop, second: number): Promise<string> {
  const nowMs = Date.now()
  const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
  if (second % AGGREGATE_EVERY_SECONDS === 0) {
    const range = `${isoSeconds(minuteMs)}_${isoSeconds(minuteMs + MINUTE_MS)}`
    const path = `/aggregates?time_range=${range}&action=VIEW&aggregates=COUNT&aggregates=SUM_PRICE`
    const answer = await client.post(path).catch(() => undefined)
    return answer?.status === 200 ? aggregateRow(answer.body) : ''
  }
  const range = `${isoSeconds(minuteMs - 60 * MINUTE_MS)}_${isoSeconds(minuteMs + MINUTE_MS)}`
  const path = `/user_profiles/${shop.activeCookie}?time_range=${range}&limit=1`
  const answer = await client.post(path).catch(() => undefined)
  return answer?.status === 200 ? newestAction(answer.body, nowMs) : ''
}

/** What the processors say of themselves; undefined where they do not answer, or have seen nothing yet. */
async function readBooks (
  processors: LoopbackClient
): Promise<{ stored: number | undefined, lag: number | undefined }> {
  const { body } = await processors.get('/metrics').catch(() => ({ body: '' }))
  return {
    stored: metricSum(body, 'millrace_events_stored_total', 'user_tags'),
    lag: metricSum(body, 'millrace_consumer_lag_records', 'user_tags')
  }
}

/** Waits until what was accepted is stored, or for ten seconds; how much is. */
async function drained (processors: LoopbackClient, accepted: number): Promise<number | undefined> {
  const deadlineMs = performance.now() + DRAIN_MS_MAX
  let { stored } = await readBooks(processors)
  while (stored !== undefined && stored < accepted && performance.now() < deadlineMs) {
    await delay(100)
    stored = (await readBooks(processors)).stored
  }
  return stored
}

async function requirePorts (config: DemoConfig): Promise<void> {
  for (const name of ['HTTP_PORT', 'PROCESSORS_PORT', 'CLICKHOUSE_PORT'] as const) {
    if (await isPortFree(config[name])) continue
    throw new Error(`port ${config[name]} is taken: is the system running already? Stop it, or set ${name} to another port`)
  }
}

function fail (message: string, stop: AbortController): void {
  console.error(`demo: ${message}`)
  process.exitCode = 1
  stop.abort()
}

function isoSeconds (ms: number): string {
  return new Date(ms).toISOString().slice(0, 19)
}
