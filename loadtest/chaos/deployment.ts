/**
 * What is under test: each role a process of its own, as in production, two of them processors; between them
 * connections that lead through proxies; under them small disks; the clocks of some of them movable.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startBroker } from '../../tests/support/kafka-broker.ts'
import { freePort } from '../child-process.ts'
import { ClickHouseProxy } from './clickhouse-proxy.ts'
import { CLIENTS_TO_INGEST, PROCESSORS_TO_CLICKHOUSE, ROLES_TO_BROKER } from './fault-kinds.ts'
import { NetworkProxy } from './network-proxy.ts'
import { RoleProcess, runToEnd } from './role-process.ts'
import { SmallDisk } from './small-disk.ts'
import { runEnvironment } from './run-settings.ts'
import { WallClock } from './wall-clock.ts'
import type { KafkaBroker } from '../../tests/support/kafka-broker.ts'
import type { Means } from './fault-kinds.ts'

const LOG_DISK_BYTES = 384 * 1024 * 1024
const CLICKHOUSE_DISK_BYTES = 1024 * 1024 * 1024

export interface Deployment {
  /** Roles by name; `processors-1` and `processors-2` are two of one. */
  roles: ReadonlyMap<string, RoleProcess>
  links: ReadonlyMap<string, NetworkProxy>
  clickHouseProxy: ClickHouseProxy
  /** By what is stored there; none where nothing can be mounted. */
  disks: ReadonlyMap<string, SmallDisk>
  /** By role; none without libfaketime. */
  clocks: ReadonlyMap<string, WallClock>
  broker: KafkaBroker | undefined
  /** Through the proxy, for clients. */
  ingestUrl: string
  queryUrl: string
  /** Past the proxies. */
  clickHousePort: number
  /** What every role is given. */
  env: Readonly<Record<string, string>>
  close: () => Promise<void>
}

export interface DeploymentOptions {
  /** A fresh folder. */
  directory: string
  means: Means
  /** Where libfaketime is. */
  faketime: string | undefined
  /** File descriptor for what the roles log. */
  output: number
  onUnexpectedEnd: (role: string, code: number | string) => void
}

/** Starts everything and resolves when all of it is ready. */
export async function deploy (options: DeploymentOptions): Promise<Deployment> {
  const closers: Array<() => Promise<void>> = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    return { ...await start(options, closers), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function start (
  options: DeploymentOptions, closers: Array<() => Promise<void>>
): Promise<Omit<Deployment, 'close'>> {
  const { directory, output, onUnexpectedEnd } = options
  const disks = await mountDisks(options, closers)
  const network = await openNetwork(options, closers)
  const { ports, links, clickHouseProxy, broker, proxied } = network
  const clocks = moveableClocks(options)
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    NODE_COMPILE_CACHE: join(directory, 'compile-cache'),
    LOG_FORMAT: 'json',
    DATA_DIR: directory,
    CLICKHOUSE_URL: `http://127.0.0.1:${ports.clickHouse}`,
    ...runEnvironment(),
    ...(broker === undefined ? {} : { KAFKA_BROKERS: broker.bootstrap })
  }
  const clickHouseEnv = { CLICKHOUSE_PORT: String(ports.clickHouse), UV_THREADPOOL_SIZE: '8' }
  const processorsEnv = { CLICKHOUSE_URL: `http://127.0.0.1:${proxied.clickHouse}`, HTTP_PORT: '0' }
  const own: ReadonlyArray<[name: string, role: string, env: Record<string, string>]> = [
    ['ingest', 'ingest', { HTTP_PORT: String(ports.ingest) }],
    ['query-api', 'query-api', { HTTP_PORT: String(ports.query) }],
    ['processors-1', 'processors', processorsEnv],
    ['processors-2', 'processors', processorsEnv]
  ]
  const roles = new Map<string, RoleProcess>()
  const startRole = (name: string, role: string, ownEnv: Record<string, string>): void => {
    const started = new RoleProcess({
      name, role, env: { ...env, ...ownEnv, ...clocks.get(name)?.env }, output, onUnexpectedEnd
    })
    roles.set(name, started)
    closers.push(() => started.close())
  }
  startRole('clickhouse', 'clickhouse', clickHouseEnv)
  await roles.get('clickhouse')?.ready()
  await runToEnd({ name: 'migrate', role: 'migrate', env, output })
  for (const [name, role, ownEnv] of own) startRole(name, role, ownEnv)
  await Promise.all([...roles.values()].map((role) => role.ready()))
  return {
    roles,
    links,
    clickHouseProxy,
    disks,
    clocks,
    broker,
    ingestUrl: `http://127.0.0.1:${proxied.ingest}`,
    queryUrl: `http://127.0.0.1:${ports.query}`,
    clickHousePort: ports.clickHouse,
    env
  }
}

async function openNetwork ({ directory, means }: DeploymentOptions, closers: Array<() => Promise<void>>) {
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const [ingest, query, clickHouse, kafka] = ports
  const links = new Map<string, NetworkProxy>()
  const link = async (name: string, port: number): Promise<number> => {
    const proxy = new NetworkProxy(port)
    links.set(name, proxy)
    closers.push(() => proxy.close())
    return await proxy.listen()
  }
  const clickHouseProxy = new ClickHouseProxy(clickHouse)
  closers.push(() => clickHouseProxy.close())
  const proxied = {
    ingest: await link(CLIENTS_TO_INGEST, ingest),
    clickHouse: await link(PROCESSORS_TO_CLICKHOUSE, await clickHouseProxy.listen())
  }
  let broker: KafkaBroker | undefined
  if (means.log === 'kafka') {
    const advertisedPort = await link(ROLES_TO_BROKER, kafka)
    const started = await startBroker({ directory: join(directory, 'kafka'), port: kafka, advertisedPort })
    broker = started
    closers.push(() => started.stop())
  }
  return { ports: { ingest, query, clickHouse }, links, clickHouseProxy, broker, proxied }
}

async function mountDisks (
  { directory, means }: DeploymentOptions, closers: Array<() => Promise<void>>
): Promise<Map<string, SmallDisk>> {
  const disks = new Map<string, SmallDisk>()
  const mount = async (name: string, bytes: number): Promise<void> => {
    const disk = await SmallDisk.mount(join(directory, name), bytes)
    disks.set(name, disk)
    closers.push(() => disk.unmount())
  }
  await mkdir(directory, { recursive: true })
  if (!means.disks) return disks
  await mount('clickhouse', CLICKHOUSE_DISK_BYTES)
  if (means.log === 'embedded') await mount('log', LOG_DISK_BYTES)
  return disks
}

function moveableClocks ({ directory, faketime }: DeploymentOptions): Map<string, WallClock> {
  if (faketime === undefined) return new Map()
  return new Map(['ingest', 'processors-1', 'processors-2'].map((role) => {
    return [role, new WallClock(faketime, join(directory, `clock-of-${role}`))]
  }))
}
