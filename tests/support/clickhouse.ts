import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createMigrationClient, createReadClient, createWriteClient, migrate
} from '../../clickhouse/index.ts'
import type { ClickHouseClient, ClickHouseConfig, EngineLimits, ReadLimits } from '../../clickhouse/index.ts'

export const READ_LIMITS: ReadLimits = {
  secondsMax: 60, memoryBytesMax: 256 * 1024 * 1024, resultRowsMax: 100_000, resultBytesMax: 64 * 1024 * 1024
}

const ENGINE_LIMITS: EngineLimits = {
  memoryBytesMax: 1024 * 1024 * 1024, queriesMax: 4, queriesWaitingMax: 100, threadsPerQuery: 2
}

/** An embedded server in a process of its own, so that a test can kill it. */
export interface ServerProcess {
  url: string
  pid: number
  /** Ends it the orderly way, and waits. */
  stop: () => Promise<void>
  /** Ends it with SIGKILL, and waits. */
  kill: () => Promise<void>
}

export interface ServerProcessOptions {
  directory: string
  port?: number
  limits?: Partial<EngineLimits>
  readLimits?: Partial<ReadLimits>
}

export const WRITER = { name: 'millrace', password: 'writer-secret' }
export const READER = { name: 'millrace_reader', password: 'reader-secret' }

/** Starts the embedded server on `directory`; throws where the process ends before it listens. */
export async function startServerProcess (options: ServerProcessOptions): Promise<ServerProcess> {
  const settings = {
    directory: options.directory,
    port: options.port ?? 0,
    host: '127.0.0.1',
    users: [WRITER, { ...READER, readLimits: { ...READ_LIMITS, ...options.readLimits } }],
    limits: { ...ENGINE_LIMITS, ...options.limits }
  }
  const child = fork(new URL('clickhouse-server.ts', import.meta.url), [JSON.stringify(settings)], {
    execArgv: [], env: { ...process.env, UV_THREADPOOL_SIZE: '12' }
  })
  const exited = once(child, 'exit')
  const [message] = await Promise.race([once(child, 'message'), exited]) as [{ url: string } | number]
  if (typeof message !== 'object' || message === null) throw new Error(`The server ended with code ${message}`)
  const end = async (how: () => void): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    how()
    await exited
  }
  return {
    url: message.url,
    pid: child.pid as number,
    stop: () => end(() => child.send('stop')),
    kill: () => end(() => child.kill('SIGKILL'))
  }
}

export interface TestClickHouse {
  url: string
  config: ClickHouseConfig
  writeClient: ClickHouseClient
  readClient: ClickHouseClient
  /** Another database on the same server, migrated, with its own clients. */
  freshDatabase: () => Promise<TestDatabase>
  close: () => Promise<void>
}

export type TestDatabase = Pick<TestClickHouse, 'config' | 'writeClient' | 'readClient'>

/**
 * A migrated ClickHouse for one test file: the server of CLICKHOUSE_URL where that is set (with a database of
 * its own, users from CLICKHOUSE_USER and CLICKHOUSE_READ_USER), else an embedded one in a temporary folder.
 */
export async function startTestClickHouse (
  options: Omit<ServerProcessOptions, 'directory'> = {}
): Promise<TestClickHouse> {
  const external = process.env['CLICKHOUSE_URL']
  const directory = mkdtempSync(join(tmpdir(), 'millrace-clickhouse-'))
  const server = external === undefined ? await startServerProcess({ ...options, directory }) : undefined
  const url = server?.url ?? external as string
  const databases: TestDatabase[] = []
  const freshDatabase = async (): Promise<TestDatabase> => {
    const database = await createTestDatabase(url)
    databases.push(database)
    return database
  }
  const { config, writeClient, readClient } = await freshDatabase()
  const close = async (): Promise<void> => {
    for (const database of databases) await dropTestDatabase(database, server === undefined)
    await server?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  return { url, config, writeClient, readClient, freshDatabase, close }
}

/** Configuration for a server at `url`, with a new name for the database. */
export function testConfig (url: string): ClickHouseConfig {
  const own = process.env['CLICKHOUSE_URL'] === undefined
  const setting = (name: string, fallback: string): string => own ? fallback : process.env[name] ?? fallback
  return {
    url,
    database: `test_${randomUUID().replaceAll('-', '')}`,
    user: setting('CLICKHOUSE_USER', WRITER.name),
    password: setting('CLICKHOUSE_PASSWORD', WRITER.password),
    readUser: setting('CLICKHOUSE_READ_USER', READER.name),
    readPassword: setting('CLICKHOUSE_READ_PASSWORD', READER.password),
    readLimits: READ_LIMITS,
    cluster: undefined,
    retentionDays: { raw: 30, bySubject: 90, rollup: 400 },
    requestTimeoutMs: 30_000,
    connectionsMax: 10,
    compression: false
  }
}

async function createTestDatabase (url: string): Promise<TestDatabase> {
  const config = testConfig(url)
  const client = createMigrationClient(config)
  await migrate({ client, config, log: { info: () => undefined } })
  await client.close()
  return { config, writeClient: createWriteClient(config), readClient: createReadClient(config) }
}

async function dropTestDatabase (database: TestDatabase, drop: boolean): Promise<void> {
  const { config, writeClient, readClient } = database
  if (drop) await writeClient.command({ query: `DROP DATABASE IF EXISTS ${config.database} SYNC` })
  await Promise.all([writeClient.close(), readClient.close()])
}
