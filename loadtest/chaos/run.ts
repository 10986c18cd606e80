/** One run on one log: deploy, load, faults, settle, count. */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { SeededRandom } from '../../tests/support/seeded-random.ts'
import { deploy } from './deployment.ts'
import { injectFaults } from './inject-faults.ts'
import { Load } from './load.ts'
import { recount } from './recount.ts'
import { Reader } from './reader.ts'
import { scheduleFaults } from './schedule.ts'
import { canMountDisks } from './small-disk.ts'
import { findFaketime } from './wall-clock.ts'
import type { Deployment } from './deployment.ts'
import type { InjectedFault } from './inject-faults.ts'
import type { LoadCounts } from './load.ts'
import type { Recount } from './recount.ts'
import type { LogKind, Means } from './fault-kinds.ts'

/** Without faults, until there are as many events as were asked for. */
const CATCH_UP_MS_MAX = 300_000
const CATCH_UP_POLL_MS = 500

export interface ChaosOptions {
  log: LogKind
  seed: number
  faults: number
  /** Events that are acknowledged, at least. */
  events: number
  /** From one fault to the next, on average. */
  intervalMs: number
  /** ClickHouse may lose what it stored when its disk is full (docs/delivery.md). */
  fillClickHouseDisk: boolean
  /** Where the roles' log goes; it is kept. */
  logFile: string
  signal: AbortSignal
  say: (line: string) => void
}

export interface ChaosResult extends Recount {
  log: LogKind
  seed: number
  means: Means
  seconds: number
  faults: InjectedFault[]
  /** Roles that ended although no fault ended them. */
  unexpectedEnds: string[]
  load: LoadCounts
  reads: { answered: number, failed: number }
}

/** What this machine can do. */
async function findMeans ({ log, fillClickHouseDisk }: ChaosOptions): Promise<Means> {
  const disks = await canMountDisks()
  return { log, disks, clickHouseDisk: disks && fillClickHouseDisk, clocks: findFaketime() !== undefined }
}

export function mismatchesOf ({ checks }: ChaosResult): number {
  return checks.reduce((sum, { mismatches }) => sum + mismatches, 0)
}

/** Rejects where the deployment does not start, does not settle enough to be counted, or is interrupted. */
export async function runChaos (options: ChaosOptions): Promise<ChaosResult> {
  const means = await findMeans(options)
  const directory = await mkdtemp(join(tmpdir(), 'millrace-chaos-'))
  const logFile = await open(options.logFile, 'w')
  const unexpectedEnds: string[] = []
  try {
    const deployment = await deploy({
      directory,
      means,
      faketime: findFaketime(),
      output: logFile.fd,
      onUnexpectedEnd: (role, code) => {
        unexpectedEnds.push(`${role} with ${code}`)
        options.say(`${role} ended by itself: ${code}`)
      }
    })
    try {
      return { ...await runOn(deployment, means, options), unexpectedEnds }
    } finally {
      await deployment.close()
    }
  } finally {
    await logFile.close()
    await rm(directory, { recursive: true, force: true })
  }
}

async function runOn (
  deployment: Deployment, means: Means, options: ChaosOptions
): Promise<Omit<ChaosResult, 'unexpectedEnds'>> {
  const { log, seed, faults, events, intervalMs, signal, say } = options
  const schedule = scheduleFaults({ random: new SeededRandom(seed), means, faults, intervalMs })
  const beganMs = performance.now()
  const perSecond = Math.ceil(events / (faults + 1) / intervalMs * 1_000)
  const load = new Load({ url: deployment.ingestUrl, random: new SeededRandom(seed + 1), perSecond })
  const reader = new Reader({ url: deployment.queryUrl, random: new SeededRandom(seed + 2) })
  let injected: InjectedFault[]
  try {
    injected = await injectFaults({
      deployment, schedule, signal, onFault: (fault) => say(describeFault(fault))
    })
    await acknowledges(load, events, signal)
  } finally {
    await Promise.all([load.stop(), reader.stop()])
  }
  await Promise.all([...deployment.roles.values()].map((role) => role.ready()))
  say(`${load.acknowledged} events acknowledged; waiting until they are stored`)
  try {
    const counted = await recount(deployment, load, reader)
    const seconds = (performance.now() - beganMs) / 1_000
    return {
      log,
      seed,
      means,
      seconds,
      faults: injected,
      load: load.counts,
      ...counted,
      reads: { answered: reader.answered, failed: reader.failed }
    }
  } finally {
    reader.close()
  }
}

function describeFault ({ number, begunMs, name, target, variant, note }: InjectedFault): string {
  const what = [name, target, variant].filter((text) => text !== '').join(', ')
  return `#${number} at ${(begunMs / 1_000).toFixed(1)} s: ${what}: ${note}`
}

async function acknowledges (load: Load, events: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + CATCH_UP_MS_MAX
  while (load.acknowledged < events) {
    if (performance.now() > end) throw new Error(`Only ${load.acknowledged} of ${events} events were acknowledged`)
    await delay(CATCH_UP_POLL_MS, undefined, { signal })
  }
}
