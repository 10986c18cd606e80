import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { clickHouseUrl } from '../../clickhouse/index.ts'
import { EXIT_FAULT } from '../exit-codes.ts'
import { Supervisor } from '../supervisor.ts'
import { clickHouseRole } from './clickhouse.ts'
import { accessCheck, kafkaCredentialsCheck, questionSecondsCheck } from '../settings-checks.ts'
import { defineRole } from '../role.ts'
import { requireFreePorts } from '../free-ports.ts'
import { makeDataFolder } from '../data-folder.ts'
import { migrateRole } from './migrate.ts'
import { processorsRole } from './processors.ts'
import { serveRole } from './serve.ts'
import type { Static, TObject } from 'typebox'
import type { ChildSpec } from '../supervisor.ts'
import type { SettingsCheck } from '../settings.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))

/**
 * kafkajs computes a negative time-out once for each connection, which Node 24 warns about; it does no harm.
 */
const NODE_FLAGS = ['--disable-warning=TimeoutNegativeWarning']

const startSettings = {
  ...clickHouseRole.settings,
  ...migrateRole.settings,
  ...processorsRole.settings,
  ...serveRole.settings,
  CLICKHOUSE_PORT: Type.Integer({
    default: 8123,
    minimum: 1,
    maximum: 65_535,
    description: 'Port of the embedded server: the one that ClickHouse tools expect. Other roles and commands look for it there, where there is no CLICKHOUSE_URL; the role clickhouse alone takes a free one for 0.'
  }),
  PROCESSORS_PORT: Type.Integer({
    default: 8081,
    minimum: 1,
    maximum: 65_535,
    description: 'Port of the health and metrics of the processors.'
  })
}

/** Three processes listen; a child finds out only after the others have started. */
const portsCheck: SettingsCheck<Static<TObject<typeof startSettings>>> = {
  settings: ['HTTP_PORT', 'PROCESSORS_PORT', 'CLICKHOUSE_PORT', 'CLICKHOUSE_URL'],
  faultOf: ({ HTTP_PORT, PROCESSORS_PORT, CLICKHOUSE_PORT, CLICKHOUSE_URL }) => {
    const ports = Object.entries({
      HTTP_PORT, PROCESSORS_PORT, ...(CLICKHOUSE_URL === undefined ? { CLICKHOUSE_PORT } : {})
    })
    if (new Set(ports.map(([, port]) => port)).size === ports.length) return undefined
    return `${ports.map((each) => each.join('=')).join(', ')} must be different ports`
  }
}

export const startRole = defineRole({
  name: 'start',
  description: 'Run everything on this machine, on one port',
  settings: startSettings,
  checks: [accessCheck, kafkaCredentialsCheck, questionSecondsCheck, portsCheck],
  start: async (env, { log, processEnv }) => {
    await requireFreePorts([
      { setting: 'HTTP_PORT', host: env.HTTP_HOST, port: env.HTTP_PORT },
      { setting: 'PROCESSORS_PORT', host: '127.0.0.1', port: env.PROCESSORS_PORT },
      ...(env.CLICKHOUSE_URL === undefined
        ? [{ setting: 'CLICKHOUSE_PORT', host: env.CLICKHOUSE_HOST, port: env.CLICKHOUSE_PORT }]
        : [])
    ])
    makeDataFolder(env.DATA_DIR)
    const processorsUrl = `http://127.0.0.1:${env.PROCESSORS_PORT}`
    // Node keeps the compiled modules: each child starts in about half the time.
    const compileCache = join(resolve(env.DATA_DIR), 'compile-cache')
    const child = (name: string, own: NodeJS.ProcessEnv = {}, rest: Partial<ChildSpec> = {}): ChildSpec => ({
      name,
      args: [...NODE_FLAGS, MAIN, name],
      env: { NODE_COMPILE_CACHE: compileCache, ...processEnv, CLICKHOUSE_URL: clickHouseUrl(env), ...own },
      endsByItself: false,
      niceness: 0,
      ...rest
    })
    // Each query of the engine holds a thread of libuv; files and compression need some too.
    const threads = { UV_THREADPOOL_SIZE: String(2 * env.CLICKHOUSE_QUERIES_MAX) }
    // Where all of it shares few cores, whoever waits for an answer comes first, and the inserts one by one.
    const behind = { niceness: 5 }
    // One machine has one process that stores: more partitions would only make its inserts smaller and more.
    const partitions = env.KAFKA_BROKERS === undefined
      ? { LOG_PARTITIONS: processEnv['LOG_PARTITIONS'] ?? '1' }
      : {}
    const inserts = env.CLICKHOUSE_URL === undefined ? { INSERTS_MAX: processEnv['INSERTS_MAX'] ?? '1' } : {}
    const processorsListener = { HTTP_HOST: '127.0.0.1', HTTP_PORT: String(env.PROCESSORS_PORT) }
    const supervisor = new Supervisor({
      log,
      shutdownMsMax: env.SHUTDOWN_MS_MAX,
      stages: [
        env.CLICKHOUSE_URL === undefined ? [child(clickHouseRole.name, threads, behind)] : [],
        [child(migrateRole.name, {}, { endsByItself: true })],
        [
          child(processorsRole.name, { ...partitions, ...inserts, ...processorsListener }, behind),
          child(serveRole.name, { ...partitions, READY_URLS: `${processorsUrl}/health/ready` })
        ]
      ]
    })
    await startStoppable(supervisor)
    return { url: `http://${env.HTTP_HOST}:${env.HTTP_PORT}`, close: () => supervisor.stop() }
  }
})

/**
 * A signal that comes before everything is ready stops what was started until then: by itself it would end
 * the supervisor alone. Whoever sends a second one does not want to wait.
 */
async function startStoppable (supervisor: Supervisor): Promise<void> {
  let asked = false
  const stop = (): void => {
    if (asked) process.exit(EXIT_FAULT)
    asked = true
    supervisor.stop().catch(() => process.exit(EXIT_FAULT))
  }
  for (const name of SIGNALS) process.on(name, stop)
  try {
    await supervisor.start()
  } catch (error) {
    await supervisor.stop()
    throw error
  } finally {
    for (const name of SIGNALS) process.off(name, stop)
  }
}
