/**
 * One role of a deployment: a process that is started again whenever it ends, as a supervisor does, except
 * while a fault holds it down.
 */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { ROOT, exitOf, stopProcess } from '../child-process.ts'
import type { ChildProcess } from 'node:child_process'

const RESTART_MS = 300
/** To be ready, with faults around it and a machine that others use. */
const READY_MS_MAX = 90_000
const PROBE_MS = 50

export interface RoleOptions {
  /** Name of this process. */
  name: string
  /** Of the command line. */
  role: string
  env: Readonly<Record<string, string>>
  /** File descriptor for what it logs. */
  output: number
  /** Told when it ends although nothing was done to it. */
  onUnexpectedEnd: (name: string, code: number | string) => void
}

export class RoleProcess {
  readonly name: string
  readonly #options: RoleOptions
  #child: ChildProcess | undefined
  #ready = false
  #held = false
  #closed = false
  /** A fault has ended it, or is about to. */
  #expected = false
  readonly #kept: Promise<void>

  constructor (options: RoleOptions) {
    this.name = options.name
    this.#options = options
    this.#kept = this.#keepUp()
  }

  /** Resolves when it has said that it is ready. */
  async ready (): Promise<void> {
    const end = performance.now() + READY_MS_MAX
    while (!this.#ready) {
      if (this.#closed || performance.now() > end) throw new Error(`${this.name} is not ready`)
      await delay(PROBE_MS)
    }
  }

  /** Ends it at once, and leaves it down for so long. It may just be starting. */
  async kill (downMs: number): Promise<void> {
    await this.#holdDown(downMs, (child) => {
      child.kill('SIGKILL')
      return exitOf(child)
    })
  }

  /** Ends it in order, and leaves it down for so long. */
  async restart (downMs: number): Promise<void> {
    await this.#holdDown(downMs, stopProcess)
  }

  /** Stands still for so long, and goes on as if nothing had been. */
  async standStill (ms: number): Promise<void> {
    const child = this.#child
    child?.kill('SIGSTOP')
    try {
      await delay(ms)
    } finally {
      child?.kill('SIGCONT')
    }
  }

  /** Ends it for good, in order. */
  async close (): Promise<void> {
    this.#closed = true
    this.#expected = true
    if (this.#child !== undefined) {
      this.#child.kill('SIGCONT')
      await stopProcess(this.#child)
    }
    await this.#kept
  }

  async #holdDown (downMs: number, end: (child: ChildProcess) => Promise<unknown>): Promise<void> {
    this.#held = true
    this.#expected = true
    try {
      if (this.#child !== undefined) await end(this.#child)
      await delay(downMs)
    } finally {
      this.#held = false
    }
  }

  async #keepUp (): Promise<void> {
    while (!this.#closed) {
      if (this.#held) {
        await delay(PROBE_MS)
        continue
      }
      this.#expected = false
      const child = this.#spawn()
      this.#child = child
      const code = await exitOf(child)
      this.#child = undefined
      this.#ready = false
      if (!this.#expected) {
        this.#options.onUnexpectedEnd(this.name, code)
        await delay(RESTART_MS)
      }
    }
  }

  #spawn (): ChildProcess {
    const { role, env, output } = this.#options
    const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', 'cli/main.ts', role], {
      cwd: ROOT, env, detached: true, stdio: ['ignore', output, output, 'ipc']
    })
    child.once('message', () => { this.#ready = child === this.#child })
    return child
  }
}

/** Runs a role that does its work and ends. Rejects where it fails. */
export async function runToEnd (
  { name, role, env, output }: Omit<RoleOptions, 'onUnexpectedEnd'>
): Promise<void> {
  const child = spawn(process.execPath, ['cli/main.ts', role], { cwd: ROOT, env, stdio: ['ignore', output, output] })
  const code = await exitOf(child)
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
}
