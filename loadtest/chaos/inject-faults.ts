import { setTimeout as delay } from 'node:timers/promises'
import { cut, late, swallow } from './faults/network.ts'
import { exception } from './faults/exception.ts'
import { fillDisk } from './faults/full-disk.ts'
import { kill, killBothProcessors, killInMidInsert, restart, stop } from './faults/processes.ts'
import { moveClock } from './faults/moved-clock.ts'
import type { Deployment } from './deployment.ts'
import type { FaultName } from './fault-kinds.ts'
import type { Inject } from './faults/fault.ts'
import type { PlannedFault } from './schedule.ts'

const INJECT: Readonly<Record<FaultName, Inject>> = {
  kill,
  'kill both processors': killBothProcessors,
  'kill in mid-insert': killInMidInsert,
  restart,
  stop,
  exception,
  'no space': exception,
  delay: late,
  cut,
  swallow,
  'fill disk': fillDisk,
  'move clock': moveClock
}

export interface InjectedFault extends PlannedFault {
  /** Milliseconds after the start of the load. */
  begunMs: number
  /** What was done. */
  note: string
}

export interface InjectOptions {
  deployment: Deployment
  schedule: readonly PlannedFault[]
  signal: AbortSignal
  onFault: (fault: InjectedFault) => void
}

/**
 * Does to a deployment what is planned, each at its time, side by side where they overlap; faults of one
 * target wait for each other. Resolves when all of them are over. Rejects when interrupted.
 */
export async function injectFaults (
  { deployment, schedule, signal, onFault }: InjectOptions
): Promise<InjectedFault[]> {
  const startMs = performance.now()
  const idle = new Map<string, Promise<unknown>>()
  const running: Array<Promise<InjectedFault>> = []
  for (const fault of schedule) {
    await delay(Math.max(0, fault.atMs - (performance.now() - startMs)), undefined, { signal })
    const busy = occupied(fault)
    const run = Promise.all(busy.map((target) => idle.get(target))).then(async () => {
      const begunMs = Math.round(performance.now() - startMs)
      const injected = { ...fault, begunMs, note: await INJECT[fault.name](deployment, fault) }
      onFault(injected)
      return injected
    })
    // What is waited for must not fail twice; the fault itself is reported below.
    for (const target of busy) idle.set(target, run.catch(() => undefined))
    running.push(run)
  }
  return await Promise.all(running)
}

function occupied ({ name, target }: PlannedFault): string[] {
  if (name === 'kill both processors') return ['processors-1', 'processors-2']
  // Two disks and an exception of the same name hit the same process, and each of them may do so at any time.
  if (name === 'exception' || name === 'no space') return [`exception ${target}`]
  return name === 'fill disk' || name === 'move clock' ? [`${name} ${target}`] : [target]
}
