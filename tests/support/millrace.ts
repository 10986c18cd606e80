/**
 * The whole system as its user starts it: `millrace start` as a process of its own, in a fresh directory, on
 * free ports, driven over HTTP and by signals, checked by SQL straight on its ClickHouse.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { beforeEach, inject } from 'vitest'
import { HttpClient } from './http-client.ts'
import { freePorts } from './free-ports.ts'
import { until } from './until.ts'
import type { ChildProcess } from 'node:child_process'
import type { HttpAnswer } from './http-client.ts'
import type { LogKind } from './each-log.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
/** Tests do not fail because a busy machine was slow: those of a limit set it. */
const PATIENT = { QUERY_TIMEOUT_MS: '25000', SHUTDOWN_MS_MAX: '60000' }
/**
 * Tests of the budget set their own, and meet the spool as it is. On Kafka the first event waits until a
 * producer is connected.
 */
const PATIENT_INGEST = { INGEST_BUDGET_MS: '20000', SPOOL_AFTER_MS: '19000' }
const READY_MS_MAX = 180_000
const STOP_MS_MAX = 90_000
/** How much of the log a failed test shows. */
const LOG_LINES_SHOWN = 150
const LOG_LINE_LENGTH_SHOWN = 400

export type ChildName = 'clickhouse' | 'processors' | 'serve'

export interface MillraceOptions {
  kind: LogKind
  /** Brokers of the Kafka log; those of the run by default. */
  brokers?: string
  env?: Record<string, string>
}

/** Where a system keeps its state; another system started there finds all of it. */
export interface MillracePlace {
  directory: string
  ports: { http: number, processors: number, clickHouse: number }
  /** Settings of the log: an existing place keeps them. */
  logEnv: Record<string, string>
}

export interface AggregatesAnswer {
  columns: string[]
  rows: string[][]
}

export interface ProfileAnswer {
  cookie: string
  views: Array<Record<string, unknown>>
  buys: Array<Record<string, unknown>>
}

/** Starts a system at a new place and resolves when it is ready. */
export async function startMillrace (options: MillraceOptions): Promise<Millrace> {
  return await startMillraceAt(await newPlace(options), options.env)
}

/** Starts a system at a place where one has been before. */
export async function startMillraceAt (
  place: MillracePlace, env: Record<string, string> = {}
): Promise<Millrace> {
  const millrace = new Millrace(place, env)
  try {
    await millrace.ready()
  } catch (error) {
    console.error(millrace.logTail())
    await millrace.kill()
    throw error
  }
  return millrace
}

export async function newPlace ({ kind, brokers }: MillraceOptions): Promise<MillracePlace> {
  const [http, processors, clickHouse] = await freePorts(3) as [number, number, number]
  return {
    directory: mkdtempSync(join(tmpdir(), 'millrace-e2e-')),
    ports: { http, processors, clickHouse },
    logEnv: kind === 'embedded'
      ? {}
      : { KAFKA_BROKERS: brokers ?? inject('kafkaBrokers'), KAFKA_TOPIC_PREFIX: `e2e.${randomUUID()}.`, ...kafkaGroup() }
  }
}

/**
 * A group of the place's own. The test broker lets sessions be short, so that a killed processor's partitions
 * are soon free; a given cluster may not.
 */
function kafkaGroup (): Record<string, string> {
  const group = { PROCESSOR_GROUP: `e2e-${randomUUID()}` }
  return process.env['KAFKA_BROKERS'] ? group : { ...group, LOG_SESSION_TIMEOUT_MS: '2000' }
}

/** Shows the system's log where a test of the file fails. */
export function showLogOfFailures (running: () => Millrace | undefined): void {
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => { console.error(running()?.logTail() ?? 'nothing was running') })
  })
}

export class Millrace {
  readonly place: MillracePlace
  readonly http: HttpClient
  /** The listener of the processors. */
  readonly processors: HttpClient
  readonly lines: string[] = []
  readonly supervisor: ChildProcess
  readonly #clickHouse: HttpClient
  readonly #children = new Map<string, number>()
  readonly #exited: Promise<number | string>

  constructor (place: MillracePlace, env: Record<string, string>) {
    const { directory, ports, logEnv } = place
    this.place = place
    this.http = new HttpClient({ port: ports.http })
    this.processors = new HttpClient({ port: ports.processors, connectionsMax: 2 })
    this.#clickHouse = new HttpClient({ port: ports.clickHouse, connectionsMax: 2 })
    this.supervisor = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', MAIN, 'start'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        DATA_DIR: directory,
        HTTP_PORT: String(ports.http),
        PROCESSORS_PORT: String(ports.processors),
        CLICKHOUSE_PORT: String(ports.clickHouse),
        LOG_FORMAT: 'json',
        ...PATIENT,
        ...(env['INGEST_BUDGET_MS'] === undefined ? PATIENT_INGEST : {}),
        ...logEnv,
        ...env
      },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#exited = new Promise((resolve) => {
      this.supervisor.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
    })
    for (const stream of [this.supervisor.stdout, this.supervisor.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => this.#onLine(line))
    }
  }

  /** Resolves when everything is ready; throws where the supervisor ends or the deadline passes. */
  async ready (deadlineMs = READY_MS_MAX): Promise<void> {
    await until('the system is ready', deadlineMs, async () => {
      if (this.exitCode !== undefined) return false
      return (await this.http.send({ path: '/health/ready' })).status === 200 || undefined
    })
    if (this.exitCode !== undefined) throw new Error(`millrace ended with ${this.exitCode}`)
  }

  get exitCode (): number | string | undefined {
    return this.supervisor.exitCode ?? this.supervisor.signalCode ?? undefined
  }

  /** Exit code of the supervisor, or its signal. */
  async exit (deadlineMs = STOP_MS_MAX): Promise<number | string> {
    await until('the supervisor ends', deadlineMs, () => this.exitCode)
    return await this.#exited
  }

  /** Answers `POST /user_tags`. */
  post (event: object | string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.http.send({
      method: 'POST',
      path: '/user_tags',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof event === 'string' ? event : JSON.stringify(event)
    })
  }

  /** Posts events, some at a time, in their order; throws where one of them is not accepted. */
  async postAll (events: readonly object[], concurrency = 32): Promise<void> {
    const remaining = events.values()
    await Promise.all(Array.from({ length: concurrency }, async () => {
      for (const event of remaining) {
        const { status, text } = await this.post(event)
        if (status !== 204) throw new Error(`${status} ${text} for ${JSON.stringify(event)}`)
      }
    }))
  }

  /** `query` as the query string says it: `time_range=…&limit=…`. */
  async profile (cookie: string, query: string): Promise<ProfileAnswer> {
    return await this.#read(`/user_profiles/${encodeURIComponent(cookie)}?${query}`) as ProfileAnswer
  }

  async aggregates (query: string): Promise<AggregatesAnswer> {
    return await this.#read(`/aggregates?${query}`) as AggregatesAnswer
  }

  async #read (path: string): Promise<unknown> {
    const { status, text } = await this.http.send({ method: 'POST', path })
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    return JSON.parse(text)
  }

  /** Rows of a statement on ClickHouse itself, as the user that may do everything. */
  async sql<Row> (statement: string): Promise<Row[]> {
    const { status, text } = await this.#clickHouse.send({
      method: 'POST',
      path: '/?database=millrace&output_format_json_quote_64bit_integers=0&default_format=JSONEachRow',
      headers: { 'x-clickhouse-user': 'millrace' },
      body: statement
    })
    if (status !== 200) throw new Error(`ClickHouse answered ${status}: ${text}`)
    return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Row)
  }

  /** Value of a metric, summed over its labels, those that are given excepted; 0 where it has none. */
  async metric (name: string, labels: Record<string, string> = {}, from = this.http): Promise<number> {
    const { text } = await from.send({ path: '/metrics' })
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const samples = text.split('\n').filter((line) => {
      return (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && wanted.every((label) => line.includes(label))
    })
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  /** The process that runs a child now, or ran it last. */
  pidOf (child: ChildName): number {
    const pid = this.#children.get(child)
    if (pid === undefined) throw new Error(`${child} was not started`)
    return pid
  }

  get childPids (): number[] {
    return [...this.#children.values()]
  }

  /** Ends a child as a crash would; resolves when the supervisor has started it anew. */
  async killChild (child: ChildName): Promise<void> {
    const pid = this.pidOf(child)
    process.kill(pid, 'SIGKILL')
    await until(`${child} is started again`, READY_MS_MAX, () => this.pidOf(child) !== pid || undefined)
  }

  /** Ends the system in order and checks that it says so; removes its directory. */
  async stop (signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
    const code = await this.shutDown(signal)
    rmSync(this.place.directory, { recursive: true, force: true })
    if (code !== 0) throw new Error(`millrace ended with ${code}:\n${this.logTail()}`)
  }

  /** Ends the system in order, keeps its place, and tells its exit code. */
  async shutDown (signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<number | string> {
    this.supervisor.kill(signal)
    try {
      return await this.exit()
    } finally {
      await this.kill()
    }
  }

  /** Ends whatever is left of the system at once, and removes nothing. */
  async kill (): Promise<void> {
    this.supervisor.kill('SIGKILL')
    await this.#exited
    this.childPids.filter(isAlive).forEach((pid) => process.kill(pid, 'SIGKILL'))
    for (const client of [this.http, this.processors, this.#clickHouse]) client.close()
  }

  logTail (): string {
    const shown = this.lines.slice(-LOG_LINES_SHOWN)
    return shown.map((line) => line.slice(0, LOG_LINE_LENGTH_SHOWN)).join('\n')
  }

  #onLine (line: string): void {
    this.lines.push(line)
    if (!line.includes('"child started"')) return
    const { child, pid } = JSON.parse(line) as { child: string, pid: number }
    // Migrations end by themselves; their process id may be somebody else's by now.
    if (child !== 'migrate') this.#children.set(child, pid)
  }
}

export function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
