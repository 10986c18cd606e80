/**
 * How soon the system is ready: `make start` in a clean clone of the commit that is checked out, the install
 * included, and again in the same clone. Ends with 1 where a target is missed.
 */
import { execFileSync, spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LoopbackClient } from './loopback-client.ts'
import { ROOT, freePort, stopProcess } from './child-process.ts'
import { loadConfig, startSettings } from './config.ts'
import { runMeasurement } from './measurement.ts'
import { table, up } from './markdown.ts'
import type { ChildProcess } from 'node:child_process'
import type { Measured } from './measurement.ts'
import type { StartConfig } from './config.ts'
import type { Workspace } from './system.ts'

const FIRST_SECONDS_MAX = 90
const LATER_SECONDS_MAX = 5
/** A start that takes longer has failed. */
const READY_SECONDS_MAX = 300
const POLL_MS = 20
/** What npm may need to reach its registry. */
const NPM_VARIABLES = /^(PATH|HOME|NODE_EXTRA_CA_CERTS|npm_config_.*|(https?|no)_proxy)$/i

await runMeasurement({
  name: 'start', title: 'Start', settings: loadConfig(startSettings, process.env), measure
})

async function measure (settings: StartConfig, workspace: Workspace, signal: AbortSignal): Promise<Measured> {
  const clone = join(workspace.directory, 'clone')
  execFileSync('git', ['clone', '--quiet', '--no-local', ROOT, clone])
  const seconds: number[] = []
  for (let start = 0; start <= settings.BENCH_LATER_STARTS; start += 1) {
    console.error(`bench-start: ${start === 0 ? 'the first start' : `start ${start + 1}`}`)
    seconds.push(await startOnce(clone, workspace.log.fd, signal))
  }
  return report(seconds)
}

/** Seconds from `make start` until the system says that it is ready; it has ended again by then. */
async function startOnce (clone: string, output: number, signal: AbortSignal): Promise<number> {
  const [httpPort, processorsPort, clickHousePort] = await Promise.all([freePort(), freePort(), freePort()])
  const ports = { HTTP_PORT: httpPort, PROCESSORS_PORT: processorsPort, CLICKHOUSE_PORT: clickHousePort }
  const named = Object.entries(ports).map(([name, port]) => [name, String(port)])
  const env = { ...strangersEnv(), ...Object.fromEntries(named) }
  const startMs = performance.now()
  const make = spawn('make', ['start'], { cwd: clone, env, detached: true, stdio: ['ignore', output, output] })
  const client = new LoopbackClient({ baseUrl: `http://127.0.0.1:${httpPort}`, connectionsMax: 1 })
  try {
    while (await client.get('/health/ready').then(({ status }) => status !== 200, () => true)) {
      signal.throwIfAborted()
      if (make.exitCode !== null) throw new Error(`make start ended with ${make.exitCode}`)
      if (secondsSince(startMs) > READY_SECONDS_MAX) throw new Error('make start is not ready')
      await delay(POLL_MS)
    }
    return secondsSince(startMs)
  } finally {
    client.close()
    await endGroup(make)
  }
}

/** The environment of somebody without this repository's Node: only npm's own settings are there. */
function strangersEnv (): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => NPM_VARIABLES.test(name))
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.startsWith(ROOT))
  return { ...Object.fromEntries(kept), PATH: folders.join(delimiter) }
}

/** Make hands SIGTERM on to the system and waits for it; what is left in spite of it is killed. */
async function endGroup (make: ChildProcess): Promise<void> {
  await stopProcess(make)
  try {
    if (make.pid !== undefined) process.kill(-make.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function secondsSince (startMs: number): number {
  return (performance.now() - startMs) / 1000
}

function report (seconds: readonly number[]): Measured {
  const [first = NaN, ...later] = seconds
  const slowest = later.length === 0 ? NaN : Math.max(...later)
  return {
    targets: [
      { name: 'make start on a clean clone, until ready', unit: 's', value: first, comparison: '<', bound: FIRST_SECONDS_MAX },
      { name: 'a later start, the slowest, until ready', unit: 's', value: slowest, comparison: '<', bound: LATER_SECONDS_MAX }
    ],
    sections: ['## Starts', table(['Start', 'Seconds until /health/ready is 200'], seconds.map((each, index) => {
      return [index === 0 ? '1, with the install' : String(index + 1), up(each, 2)]
    }))],
    conditions: [
      'A clone of the commit without node_modules, data and tools; npm with whatever its own cache held before.',
      `From the call of \`make start\` to the first answer 200, asked for every ${POLL_MS} ms. Only the ports were set.`,
      'Between two starts the system was ended by SIGTERM; it had taken no events.'
    ],
    figures: { seconds }
  }
}
