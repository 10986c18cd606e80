/**
 * The load test: starts the system on a fresh data folder, sends it the retailer's load at the stated rates,
 * checks that nothing was lost, then finds the highest rate at which it takes events. Writes the figures
 * against their targets to BENCH_RESULTS_DIR. Ends with 1 where a target is missed.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { availableParallelism, loadavg } from 'node:os'
import { ROOT, startNode } from './child-process.ts'
import { LoopbackClient } from './loopback-client.ts'
import { benchSettings, loadConfig } from './config.ts'
import { compareRates, runFullSpeed } from './full-speed.ts'
import { describeMachine, describeRevision } from './machine.ts'
import { openWorkspace, startIngest, startSystem } from './system.ts'
import { isMet, targetsOf } from './targets.ts'
import { median } from './percentiles.ts'
import { probeFreshness } from './freshness.ts'
import { renderResult } from './render-result.ts'
import { requireK6, runFirehose } from './k6-run.ts'
import { settledCounts } from './stored-counts.ts'
import { watchResources } from './resource-usage.ts'
import type { BenchConfig } from './config.ts'
import type { BenchResult, Firehose, FullSpeed } from './bench-result.ts'
import type { FullSpeedRound } from './full-speed.ts'
import type { Workspace } from './system.ts'

const BODIES_PER_CONNECTION = 100
const PROBE_CONNECTIONS_MAX = 64
const MEMORY_SAMPLE_MS = 1_000

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort(new Error(name)))

try {
  process.exitCode = await bench(loadConfig(benchSettings, process.env), interrupted.signal)
} catch (error) {
  say(interrupted.signal.aborted ? 'interrupted; no result was written' : `failed: ${String(error)}`)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}

async function bench (settings: BenchConfig, signal: AbortSignal): Promise<number> {
  requireK6()
  const startedAt = new Date().toISOString()
  const loadPerCoreBefore = (loadavg()[0] as number) / availableParallelism()
  const workspace = await openWorkspace(settings.BENCH_DATA_DIR)
  try {
    const machine = describeMachine(workspace.directory)
    const revision = describeRevision()
    const firehose = await measureFirehose(settings, workspace, signal)
    const fullSpeed: FullSpeed = {
      ingest: await measureIngest(settings, workspace, signal),
      system: await measureSystem(settings, workspace, signal)
    }
    const figures = { settings, firehose, fullSpeed }
    const targets = targetsOf(figures)
    await writeResult({ startedAt, machine, revision, loadPerCoreBefore, targets, ...figures })
    return targets.every(isMet) ? 0 : 1
  } finally {
    if ((await workspace.log.stat()).size > 0) say(`the system had something to say: ${workspace.logFile}`)
    await workspace.close()
  }
}

async function measureFirehose (
  settings: BenchConfig, workspace: Workspace, signal: AbortSignal
): Promise<Firehose> {
  say(`firehose for ${settings.BENCH_SECONDS} s`)
  const system = await startSystem(workspace, 'firehose', signal)
  const client = new LoopbackClient({ baseUrl: system.url, connectionsMax: PROBE_CONNECTIONS_MAX })
  const loadEnded = new AbortController()
  const watch = { everyMs: MEMORY_SAMPLE_MS, signal: loadEnded.signal }
  const probes = { perSecond: settings.BENCH_PROBES_PER_SECOND, signal: loadEnded.signal }
  try {
    const watching = watchResources(system.pid, watch)
    const probing = probeFreshness({ client, seed: settings.BENCH_SEED }, probes)
    const [load, resources, freshness] = await Promise.all([
      runFirehose({
        baseUrl: system.url,
        seconds: settings.BENCH_SECONDS,
        perSecond: {
          user_tags: settings.BENCH_EVENTS_PER_SECOND,
          user_profiles: settings.BENCH_PROFILES_PER_SECOND,
          aggregates: settings.BENCH_AGGREGATES_PER_SECOND
        },
        seed: settings.BENCH_SEED,
        directory: workspace.directory,
        signal
      }).finally(() => loadEnded.abort()),
      watching,
      probing
    ])
    const acceptedInAll = load.accepted + freshness.accepted
    const stored = await settledCounts(system.clickHouseUrl, { expected: acceptedInAll, signal })
    return { load, freshness, acceptedInAll, stored, resources }
  } finally {
    client.close()
    await system.stop()
  }
}

async function measureIngest (
  settings: BenchConfig, workspace: Workspace, signal: AbortSignal
): Promise<FullSpeed['ingest']> {
  say(`ingest against the reference, ${settings.BENCH_ROUNDS} rounds of ${settings.BENCH_ROUND_SECONDS} s each`)
  const ingest = await startIngest(workspace, 'ingest', signal)
  try {
    const reference = await startNode(['loadtest/reference-server.ts'], process.env, signal)
    try {
      return await compareRates({
        ...fullSpeedSettings(settings),
        measuredUrl: ingest.url,
        referenceUrl: reference.url,
        rounds: settings.BENCH_ROUNDS,
        warmUpSeconds: settings.BENCH_WARM_UP_SECONDS,
        runRound: (options) => runFullSpeed(options, signal)
      })
    } finally {
      await reference.stop()
    }
  } finally {
    await ingest.stop()
  }
}

async function measureSystem (
  settings: BenchConfig, workspace: Workspace, signal: AbortSignal
): Promise<FullSpeed['system']> {
  say(`the whole system at full speed, ${settings.BENCH_ROUNDS} rounds`)
  const system = await startSystem(workspace, 'system', signal)
  const options = { ...fullSpeedSettings(settings), url: system.url }
  try {
    const rounds: FullSpeedRound[] = []
    for (let index = 0; index < settings.BENCH_ROUNDS; index += 1) {
      rounds.push(await runFullSpeed({ ...options, seed: options.seed + index }, signal))
    }
    const accepted = rounds.reduce((sum, round) => sum + round.accepted, 0)
    const stored = await settledCounts(system.clickHouseUrl, { expected: accepted, signal })
    return { rounds, median: median(rounds.map((round) => round.perSecond)), accepted, stored }
  } finally {
    await system.stop()
  }
}

function fullSpeedSettings (settings: BenchConfig) {
  return {
    connections: settings.BENCH_CONNECTIONS,
    seconds: settings.BENCH_ROUND_SECONDS,
    bodiesPerConnection: BODIES_PER_CONNECTION,
    seed: settings.BENCH_SEED
  }
}

async function writeResult (result: BenchResult): Promise<void> {
  const directory = resolve(ROOT, result.settings.BENCH_RESULTS_DIR)
  const file = join(directory, `${result.startedAt.slice(0, 10)}-${result.settings.BENCH_NAME}`)
  await mkdir(directory, { recursive: true })
  const markdown = renderResult(result)
  await writeFile(`${file}.json`, `${JSON.stringify(result, undefined, 2)}\n`)
  await writeFile(`${file}.md`, markdown)
  console.log(markdown)
  say(`written to ${file}.json and .md`)
}

function say (text: string): void {
  console.error(`bench: ${text}`)
}
