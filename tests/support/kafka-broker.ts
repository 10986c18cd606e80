/**
 * A real single-node Apache Kafka (KRaft) as a child process, for tests. Loopback only, a data directory of
 * its own, settings for a quick start. `scripts/install-kafka.sh` puts its jars under `.tools/kafka`.
 */
import { execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from './free-ports.ts'
import type { ChildProcess } from 'node:child_process'

const ROOT = join(import.meta.dirname, '../..')
const LIB = join(ROOT, '.tools/kafka/lib')
const JVM = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(LIB, '*')]
const CLUSTER_ID = 'bWlsbHJhY2UtdGVzdC1sbw'
const START_MS_MAX = 180_000
const STOP_MS_MAX = 60_000
const PROBE_INTERVAL_MS = 50

/** Copies the broker's jars if they are not there; throws with the reason where that is not possible. */
export async function installKafka (): Promise<void> {
  try {
    await promisify(execFile)(join(ROOT, 'scripts/install-kafka.sh'))
  } catch (error) {
    const { stderr } = error as { stderr?: string }
    throw new Error(stderr?.trim() || 'scripts/install-kafka.sh failed', { cause: error })
  }
}

export interface BrokerOptions {
  /** For data, configuration and log; created where it is missing, left as it is by `stop`. */
  directory: string
  /** Port on 127.0.0.1; undefined takes a free one. */
  port?: number
  /** Where clients are told to connect, for a proxy between them and the broker; undefined is `port`. */
  advertisedPort?: number
}

/** Starts a broker and resolves when it answers. */
export async function startBroker (options: BrokerOptions): Promise<KafkaBroker> {
  const [freePort, controllerPort] = await freePorts(2) as [number, number]
  const { directory, port = freePort, advertisedPort = port } = options
  mkdirSync(directory, { recursive: true })
  const broker = new KafkaBroker({ directory, port, advertisedPort, controllerPort })
  await broker.format()
  await broker.restart()
  return broker
}

export class KafkaBroker {
  readonly bootstrap: string
  readonly #directory: string
  readonly #port: number
  readonly #advertisedPort: number
  readonly #controllerPort: number
  #process: ChildProcess | undefined

  constructor ({ directory, port, advertisedPort, controllerPort }: {
    directory: string, port: number, advertisedPort: number, controllerPort: number
  }) {
    this.#directory = directory
    this.#port = port
    this.#advertisedPort = advertisedPort
    this.#controllerPort = controllerPort
    this.bootstrap = `127.0.0.1:${advertisedPort}`
  }

  get pid (): number | undefined {
    return this.#process?.pid
  }

  get port (): number {
    return this.#port
  }

  get logFile (): string {
    return join(this.#directory, 'broker.log')
  }

  /** Writes the configuration and formats the data directory, as KRaft wants before the first start. */
  async format (): Promise<void> {
    writeFileSync(this.#configuration, this.#properties())
    if (existsSync(join(this.#directory, 'data/meta.properties'))) return
    await promisify(execFile)('java', [
      ...JVM, 'kafka.tools.StorageTool', 'format', '--cluster-id', CLUSTER_ID, '--config', this.#configuration
    ])
  }

  /** Starts the broker, after stopping it where it runs, and resolves when it answers. */
  async restart (): Promise<void> {
    await this.stop()
    const log = openSync(this.logFile, 'a')
    const child = spawn('java', [...JVM, 'kafka.Kafka', this.#configuration], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    // A test run that ends without its teardown leaves no broker behind.
    const killChild = (): void => { child.kill('SIGKILL') }
    process.once('exit', killChild)
    child.once('exit', () => process.off('exit', killChild))
    const end = Date.now() + START_MS_MAX
    while (!await answers(this.#port)) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > end) {
        await this.kill()
        throw new Error(`The test broker did not start:\n${readFileSync(this.logFile, 'utf8').slice(-2000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS))
    }
  }

  /** Stops the broker in order; after a minute with SIGKILL. */
  async stop (): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** Ends the broker at once, as a crash would. */
  async kill (): Promise<void> {
    await this.#end('SIGKILL')
  }

  get #configuration (): string {
    return join(this.#directory, 'server.properties')
  }

  async #end (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await gone
    clearTimeout(timer)
  }

  #properties (): string {
    return Object.entries({
      'process.roles': 'broker,controller',
      'node.id': 1,
      'controller.quorum.voters': `1@127.0.0.1:${this.#controllerPort}`,
      'controller.listener.names': 'CONTROLLER',
      listeners: `PLAINTEXT://127.0.0.1:${this.#port},CONTROLLER://127.0.0.1:${this.#controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${this.#advertisedPort}`,
      'log.dirs': join(this.#directory, 'data'),
      'auto.create.topics.enable': false,
      'num.network.threads': 2,
      'num.io.threads': 4,
      'offsets.topic.replication.factor': 1,
      'offsets.topic.num.partitions': 4,
      'transaction.state.log.replication.factor': 1,
      'transaction.state.log.min.isr': 1,
      'transaction.state.log.num.partitions': 1,
      'share.coordinator.state.topic.replication.factor': 1,
      'share.coordinator.state.topic.min.isr': 1,
      'share.coordinator.state.topic.num.partitions': 1,
      // After a crash the broker's old registration has to expire before it may come back.
      'broker.session.timeout.ms': 2000,
      'broker.heartbeat.interval.ms': 500,
      // Groups form at once, and tests may let a member's session expire soon.
      'group.initial.rebalance.delay.ms': 0,
      'group.min.session.timeout.ms': 500,
      'log.initial.task.delay.ms': 500,
      'log.retention.check.interval.ms': 500
    }).map(([name, value]) => `${name}=${value}\n`).join('')
  }
}

/** Whether a Kafka broker answers an ApiVersions request (key 18, version 0) on this port. */
async function answers (port: number): Promise<boolean> {
  const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255])
  return await new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1000 })
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => socket.write(request))
    socket.once('data', () => settle(true))
    socket.once('error', () => settle(false))
    socket.once('close', () => settle(false))
    socket.once('timeout', () => settle(false))
  })
}
