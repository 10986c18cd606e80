import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ROOT, freePort, startRole } from './child-process.ts'
import type { StartedRole } from './child-process.ts'

export interface System extends StartedRole {
  clickHouseUrl: string
}

/** A fresh folder, which `remove` deletes. */
export async function freshDirectory (
  parent: string
): Promise<{ path: string, remove: () => Promise<void> }> {
  const folder = resolve(ROOT, parent)
  await mkdir(folder, { recursive: true })
  const path = await mkdtemp(join(folder, 'bench-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** The whole system with its default settings, on free ports. */
export async function startSystem (dataDirectory: string, signal: AbortSignal): Promise<System> {
  const [httpPort, processorsPort, clickHousePort] = await Promise.all([freePort(), freePort(), freePort()])
  const role = await startRole('start', {
    ...defaultEnv(dataDirectory),
    HTTP_PORT: String(httpPort),
    PROCESSORS_PORT: String(processorsPort),
    CLICKHOUSE_PORT: String(clickHousePort)
  }, signal)
  return { ...role, clickHouseUrl: `http://127.0.0.1:${clickHousePort}` }
}

/** The role ingest alone, with the embedded log. */
export async function startIngest (dataDirectory: string, signal: AbortSignal): Promise<StartedRole> {
  return await startRole('ingest', { ...defaultEnv(dataDirectory), HTTP_PORT: '0' }, signal)
}

/** Nothing of the caller's settings reaches what is measured. */
function defaultEnv (dataDirectory: string): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME, DATA_DIR: dataDirectory, LOG_LEVEL: 'warn' }
}
