/**
 * Runs the roles of `millrace start` as child processes: starts them in order, each when the one before it is
 * ready, restarts one that dies, with back-off, and stops them in reverse order. Each child is a process
 * group of its own, so that Ctrl-C in a terminal reaches the supervisor alone and the order holds. A child
 * whose supervisor was killed ends by itself (its IPC channel closes), unless it is stuck; where the
 * supervisor ends in any other way, it kills what is left.
 */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { EXIT_SETTINGS } from './exit-codes.ts'
import { setNiceness } from './scheduling.ts'
import type { ChildProcess } from 'node:child_process'
import type { Logger } from 'pino'
import type { RoleMessage } from './run-role.ts'

const RESTART_MS_MIN = 250
const RESTART_MS_MAX = 10_000
/** A child that lived so long has recovered: its next restart is quick again. */
const STABLE_MS = 30_000
/** Tries to start a child the first time; a fault that outlasts them is one of the set-up. */
const FIRST_STARTS_MAX = 5

export interface ChildSpec {
  name: string
  /** Arguments of this Node. */
  args: readonly string[]
  env: NodeJS.ProcessEnv
  /** `true`: the child does its work and ends with code 0, as migrations do. */
  endsByItself: boolean
  /** Scheduling priority of the operating system, 0 to 19: the nicer, the later. */
  niceness: number
}

export interface SupervisorOptions {
  /** The children of one stage start together, when those of the stage before are ready. */
  stages: ReadonlyArray<readonly ChildSpec[]>
  log: Logger
  /** Milliseconds that a child may drain before it is killed. */
  shutdownMsMax: number
}

/** A child cannot be started at all; its own log lines say why. */
export class ChildStartError extends Error {
  readonly code = 'child_start'
  readonly retryable = false
  override readonly name = 'ChildStartError'
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #running = new Map<string, ChildProcess>()
  readonly #stopping = new AbortController()

  constructor (options: SupervisorOptions) {
    this.#options = options
  }

  /**
   * Starts every child, stage by stage. Throws ChildStartError, also where it is stopped meanwhile; then the
   * caller stops the rest.
   */
  async start (): Promise<void> {
    process.on('exit', this.#killAll)
    for (const stage of this.#options.stages) {
      await Promise.all(stage.map((child) => this.#startFirst(child)))
    }
    if (this.#stopping.signal.aborted) throw new ChildStartError('It was stopped before everything was ready')
  }

  /** Stops the children in reverse order, each with time to drain. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    for (const { name } of this.#options.stages.flat().toReversed()) {
      const child = this.#running.get(name)
      if (child === undefined) continue
      const ended = exitOf(child)
      child.kill('SIGTERM')
      const late = setTimeout(() => {
        this.#options.log.warn({ child: name }, 'does not end in time: killed')
        child.kill('SIGKILL')
      }, this.#options.shutdownMsMax)
      await ended
      clearTimeout(late)
    }
    process.off('exit', this.#killAll)
  }

  /** When this process ends before it has stopped them, by its own time limit or a fault. */
  readonly #killAll = (): void => {
    for (const child of this.#running.values()) child.kill('SIGKILL')
  }

  async #startFirst (spec: ChildSpec): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      const { process, ended } = this.#spawn(spec)
      const outcome = await Promise.race([spec.endsByItself ? ended : readyOf(process), ended])
      if (outcome === 'ready') {
        ended.then(() => this.#keepAlive(spec)).catch((error: unknown) => {
          this.#options.log.fatal({ err: error, child: spec.name }, 'cannot be restarted')
        })
        return
      }
      if (outcome === 0 && spec.endsByItself) return
      if (attempt === FIRST_STARTS_MAX || outcome === EXIT_SETTINGS) {
        throw new ChildStartError(`${spec.name} does not start: it ended with ${typeof outcome === 'number' ? `code ${outcome}` : outcome}`)
      }
      await this.#pause(attempt)
    }
  }

  /** Restarts a child whenever it ends, until the supervisor stops. */
  async #keepAlive (spec: ChildSpec): Promise<void> {
    let quickEnds = 0
    while (!this.#stopping.signal.aborted) {
      await this.#pause(++quickEnds)
      if (this.#stopping.signal.aborted) return
      const startedMs = performance.now()
      await this.#spawn(spec).ended
      if (performance.now() - startedMs > STABLE_MS) quickEnds = 0
    }
  }

  #spawn (spec: ChildSpec): { process: ChildProcess, ended: Promise<number | string> } {
    const { log } = this.#options
    const child = spawn(process.execPath, spec.args, {
      env: spec.env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    this.#running.set(spec.name, child)
    if (child.pid !== undefined) setNiceness(child.pid, spec.niceness)
    log.info({ child: spec.name, pid: child.pid }, 'child started')
    const ended = exitOf(child).then((code) => {
      this.#running.delete(spec.name)
      if (!spec.endsByItself && !this.#stopping.signal.aborted) {
        const how = typeof code === 'number' ? { code } : { signal: code }
        log.warn({ child: spec.name, pid: child.pid, ...how }, 'child ended')
      }
      return code
    })
    return { process: child, ended }
  }

  async #pause (attempt: number): Promise<void> {
    const pauseMs = Math.min(RESTART_MS_MAX, RESTART_MS_MIN * 2 ** (attempt - 1))
    // An abort only shortens the pause.
    await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}

/** Exit code, or the name of the signal that ended it. */
async function exitOf (child: ChildProcess): Promise<number | string> {
  return await new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? child.signalCode ?? 'unknown')
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
    child.once('error', (error) => resolve(error.message))
  })
}

async function readyOf (child: ChildProcess): Promise<'ready'> {
  return await new Promise((resolve) => {
    child.on('message', (message: RoleMessage) => { if ('ready' in message) resolve('ready') })
  })
}
