import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ROOT, freePort, startRole } from './child-process.ts'
import type { FileHandle } from 'node:fs/promises'
import type { StartedRole } from './child-process.ts'

export interface System extends StartedRole {
  clickHouseUrl: string
}

/** Where a bench keeps what it measures. */
export interface Workspace {
  /** A fresh folder. */
  directory: string
  /** What the system logs; it outlives the folder. */
  log: FileHandle
  logFile: string
  /** Deletes the folder. */
  close: () => Promise<void>
}

export async function openWorkspace (parent: string): Promise<Workspace> {
  const folder = resolve(ROOT, parent)
  await mkdir(folder, { recursive: true })
  const directory = await mkdtemp(join(folder, 'bench-'))
  const logFile = join(folder, 'bench.log')
  const log = await open(logFile, 'w')
  return {
    directory,
    log,
    logFile,
    close: async () => {
      await log.close()
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** The whole system with its default settings, on free ports, its data in a subfolder of the workspace. */
export async function startSystem (
  { directory, log }: Workspace, name: string, signal: AbortSignal
): Promise<System> {
  const [httpPort, processorsPort, clickHousePort] = await Promise.all([freePort(), freePort(), freePort()])
  const role = await startRole('start', {
    ...defaultEnv(join(directory, name)),
    HTTP_PORT: String(httpPort),
    PROCESSORS_PORT: String(processorsPort),
    CLICKHOUSE_PORT: String(clickHousePort)
  }, signal, log.fd)
  return { ...role, clickHouseUrl: `http://127.0.0.1:${clickHousePort}` }
}

/** The role ingest alone, with the embedded log. */
export async function startIngest (
  { directory, log }: Workspace, name: string, signal: AbortSignal
): Promise<StartedRole> {
  return await startRole('ingest', { ...defaultEnv(join(directory, name)), HTTP_PORT: '0' }, signal, log.fd)
}

/** Nothing of the caller's settings reaches what is measured. */
function defaultEnv (dataDirectory: string): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME, DATA_DIR: dataDirectory, LOG_LEVEL: 'warn' }
}
