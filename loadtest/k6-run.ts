import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, exitOf, stopProcess } from './child-process.ts'

export interface Endpoint {
  requests: number
  failed: number
  /** Milliseconds from the first byte sent to the last byte read; connecting is not in it. */
  latencyMs: { p50: number, p95: number, p99: number, max: number }
}

export interface FirehoseFigures {
  seconds: number
  /** Events answered 204. */
  accepted: number
  /** Arrivals that no virtual user was free for. */
  droppedIterations: number
  endpoints: Record<EndpointName, Endpoint>
}

export const ENDPOINTS = ['user_tags', 'user_profiles', 'aggregates'] as const
export type EndpointName = typeof ENDPOINTS[number]

export interface FirehoseOptions {
  baseUrl: string
  seconds: number
  perSecond: Record<EndpointName, number>
  seed: number
  /** A folder for k6's own summary. */
  directory: string
  signal: AbortSignal
}

const K6 = join(ROOT, '.tools/k6/k6')
/** k6 shares the cores with what it measures: a request costs it 0.7 ms of CPU by default, and 0.5 so. */
const GOGC = '400'

/** Runs k6's firehose to its end. Rejects where k6 is missing, fails or is interrupted. */
export async function runFirehose (options: FirehoseOptions): Promise<FirehoseFigures> {
  const { baseUrl, seconds, perSecond, seed, directory, signal } = options
  requireK6()
  signal.throwIfAborted()
  const summaryFile = join(directory, 'k6-summary.json')
  const settings = {
    BASE_URL: baseUrl,
    DURATION_SECONDS: seconds,
    EVENTS_PER_SECOND: perSecond.user_tags,
    PROFILES_PER_SECOND: perSecond.user_profiles,
    AGGREGATES_PER_SECOND: perSecond.aggregates,
    SEED: seed,
    SUMMARY_FILE: summaryFile
  }
  const child = spawn(K6, [
    'run', '--quiet', '--no-usage-report', '--address', '',
    ...Object.entries(settings).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
    join(ROOT, 'loadtest/k6/firehose.js')
  ], { stdio: ['ignore', 'ignore', process.stderr], detached: true, env: { ...process.env, GOGC } })
  const onAbort = () => { child.kill('SIGKILL') }
  signal.addEventListener('abort', onAbort)
  try {
    const code = await exitOf(child)
    signal.throwIfAborted()
    if (code !== 0) throw new Error(`k6 ended with ${code}`)
    return readSummary(JSON.parse(await readFile(summaryFile, 'utf8')) as K6Summary)
  } finally {
    signal.removeEventListener('abort', onAbort)
    await stopProcess(child)
  }
}

/** Throws, saying what to do, where k6 has not been built yet. */
export function requireK6 (): void {
  if (!existsSync(K6)) throw new Error('k6 is not there: run loadtest/install-k6.sh first (it needs Go)')
}

export interface K6Summary {
  state: { testRunDurationMs: number }
  metrics: Record<string, { values: Record<string, number> } | undefined>
}

/** The figures of k6's summary. What k6 counts but never saw is 0; a latency without requests is NaN. */
export function readSummary ({ state, metrics }: K6Summary): FirehoseFigures {
  const value = (metric: string, name: string) => metrics[metric]?.values[name]
  const endpointOf = (name: EndpointName): Endpoint => {
    const requests = value(`http_reqs{scenario:${name}}`, 'count') ?? 0
    const latency = (figure: string) => {
      return requests === 0 ? NaN : value(`http_req_duration{scenario:${name}}`, figure) ?? NaN
    }
    return {
      requests,
      // For a rate k6 calls "passes" what was true: here, what failed.
      failed: value(`http_req_failed{scenario:${name}}`, 'passes') ?? 0,
      latencyMs: { p50: latency('med'), p95: latency('p(95)'), p99: latency('p(99)'), max: latency('max') }
    }
  }
  return {
    seconds: state.testRunDurationMs / 1000,
    accepted: value('events_accepted', 'count') ?? 0,
    droppedIterations: value('dropped_iterations', 'count') ?? 0,
    endpoints: {
      user_tags: endpointOf('user_tags'),
      user_profiles: endpointOf('user_profiles'),
      aggregates: endpointOf('aggregates')
    }
  }
}
