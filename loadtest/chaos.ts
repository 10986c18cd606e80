/**
 * Chaos: loads the whole system on each log while a seeded schedule of faults goes on, then counts. Writes
 * the report to CHAOS_REPORT. Ends with 1 on any mismatch; its last line states faults, events and
 * mismatches.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { installKafka } from '../tests/support/kafka-broker.ts'
import { chaosSettings, loadConfig } from './config.ts'
import { describeMachine, describeRevision } from './machine.ts'
import { ROOT } from './child-process.ts'
import { mismatchesOf, runChaos } from './chaos/run.ts'
import { renderReport } from './chaos/report.ts'
import type { ChaosConfig } from './config.ts'
import type { ChaosResult } from './chaos/run.ts'
import type { LogKind } from './chaos/fault-kinds.ts'

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort(new Error(name)))

try {
  process.exitCode = await chaos(loadConfig(chaosSettings, process.env), interrupted.signal)
} catch (error) {
  console.error(interrupted.signal.aborted ? 'chaos: interrupted; no report was written' : error)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}

async function chaos (settings: ChaosConfig, signal: AbortSignal): Promise<number> {
  const startedAt = new Date().toISOString()
  const seed = settings.SEED ?? Math.floor(Math.random() * 2 ** 31)
  const logs = settings.CHAOS_LOGS.split(',') as LogKind[]
  const folder = resolve(ROOT, settings.CHAOS_LOG_DIR)
  await mkdir(folder, { recursive: true })
  if (logs.includes('kafka')) await installKafka()
  const revision = describeRevision()
  const results: ChaosResult[] = []
  for (const log of logs) {
    console.log(`chaos on the ${log} log, SEED=${seed}`)
    results.push(await runChaos({
      log,
      seed,
      faults: settings.CHAOS_FAULTS,
      events: settings.CHAOS_EVENTS,
      intervalMs: settings.CHAOS_INTERVAL_MS,
      fillClickHouseDisk: settings.CHAOS_CLICKHOUSE_DISK,
      logFile: join(folder, `chaos-${log}.log`),
      signal,
      say: (line) => console.log(`  ${line}`)
    }))
    sayChecks(results.at(-1) as ChaosResult)
  }
  if (settings.CHAOS_REPORT !== '') {
    const report = renderReport({ startedAt, seed, machine: describeMachine(folder), revision, results })
    await writeFile(resolve(ROOT, settings.CHAOS_REPORT), report)
  }
  const mismatches = total(results.map(mismatchesOf))
  const faults = total(results.map((result) => result.faults.length))
  const events = total(results.flatMap((result) => result.events.map(({ acknowledged }) => acknowledged)))
  const where = `SEED=${seed}, ${logs.join(' and ')} log`
  console.log(`chaos: ${faults} faults, ${events} events, ${mismatches} mismatches (${where})`)
  return mismatches === 0 ? 0 : 1
}

function sayChecks ({ checks }: ChaosResult): void {
  const broken = checks.filter(({ mismatches }) => mismatches > 0)
  for (const { name, mismatches, examples } of broken) {
    console.log(`  MISMATCH ${name}: ${mismatches}, such as ${examples.join('; ')}`)
  }
  if (broken.length === 0) console.log(`  all ${checks.length} checks hold`)
}

function total (values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
