import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { SettingsError } from './settings.ts'

/** Where a role will listen, and the setting that says so. */
export interface Listener {
  setting: string
  host: string
  /** 0: whichever is free. */
  port: number
}

/** A system that was killed frees its ports within a moment. */
const WAIT_MS = 2_000
const POLL_MS = 100

/** Throws SettingsError with every setting whose port somebody else has: before anything is started. */
export async function requireFreePorts (listeners: readonly Listener[], waitMs = WAIT_MS): Promise<void> {
  const faults = await Promise.all(listeners.map((listener) => faultOf(listener, performance.now() + waitMs)))
  const found = faults.filter((fault) => fault !== undefined)
  if (found.length > 0) throw new SettingsError(found)
}

async function faultOf ({ setting, host, port }: Listener, deadlineMs: number): Promise<string | undefined> {
  if (port === 0) return undefined
  while (await isTaken(host, port)) {
    if (performance.now() > deadlineMs) return `${setting}=${port}: ${host}:${port} is in use by another program`
    await delay(POLL_MS)
  }
}

/** Other faults are for the role to meet. */
async function isTaken (host: string, port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  } finally {
    probe.close()
  }
}
