/** Faults of processes: killed, restarted in order, standing still. */
import { setTimeout as delay } from 'node:timers/promises'
import { targetOf } from './fault.ts'
import type { Deployment } from '../deployment.ts'
import type { Inject } from './fault.ts'

/** How long an insert may be awaited; without one the process is killed all the same. */
const INSERT_MS_MAX = 5_000
/** Inserts take longer than this. */
const MS_AFTER_INSERT_MAX = 20
const BROKER = 'broker'

export const kill: Inject = async (deployment, fault) => {
  if (fault.target === BROKER) {
    const broker = brokerOf(deployment)
    await broker.kill()
    await delay(fault.ms)
    await broker.restart()
    return `SIGKILL, down for ${fault.ms} ms`
  }
  await targetOf(deployment.roles, fault).kill(fault.ms)
  return `SIGKILL, down for ${fault.ms} ms`
}

/** Every partition loses its owner at once. */
export const killBothProcessors: Inject = async ({ roles }, { ms }) => {
  const processors = [...roles.values()].filter(({ name }) => name.startsWith('processors'))
  await Promise.all(processors.map((role) => role.kill(ms)))
  return `SIGKILL, down for ${ms} ms`
}

/** After an insert has reached ClickHouse, and before it is answered, as far as the clock allows. */
export const killInMidInsert: Inject = async ({ roles, clickHouseProxy }, fault) => {
  const signal = AbortSignal.timeout(INSERT_MS_MAX)
  await clickHouseProxy.nextInsert(signal)
  await delay(fault.dose * MS_AFTER_INSERT_MAX)
  await targetOf(roles, fault).kill(fault.ms)
  return `${signal.aborted ? 'no insert came; ' : ''}SIGKILL, down for ${fault.ms} ms`
}

export const restart: Inject = async (deployment, fault) => {
  if (fault.target === BROKER) {
    await brokerOf(deployment).restart()
    return 'SIGTERM'
  }
  await targetOf(deployment.roles, fault).restart(fault.ms)
  return `SIGTERM, down for ${fault.ms} ms`
}

/** A processor that stands still past its session is a zombie when it goes on: others have its partitions. */
export const stop: Inject = async ({ roles }, fault) => {
  await targetOf(roles, fault).standStill(fault.ms)
  return `SIGSTOP, SIGCONT after ${fault.ms} ms`
}

function brokerOf ({ broker }: Deployment): NonNullable<Deployment['broker']> {
  if (broker === undefined) throw new Error('There is no broker in this deployment')
  return broker
}
