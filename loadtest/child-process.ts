/**
 * Processes of a load test. Each is a process group of its own, so that Ctrl-C in a terminal reaches the load
 * test alone, which then ends them in its own order. Those with an IPC channel also end when it closes, so a
 * load test that is killed leaves nothing behind.
 */
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { AddressInfo } from 'node:net'
import type { ChildProcess } from 'node:child_process'

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const READY_MS_MAX = 180_000
/** More than a role may take to drain. */
const STOP_MS_MAX = 30_000

export interface StartedRole {
  process: ChildProcess
  pid: number
  /** Where it listens. */
  url: string
  stop: () => Promise<void>
}

/**
 * Starts `millrace <role>` and waits until it is ready. What it logs goes to standard error, or to the file
 * descriptor `output`.
 */
export async function startRole (
  role: string, env: NodeJS.ProcessEnv, signal: AbortSignal, output?: number
): Promise<StartedRole> {
  const args = ['--disable-warning=TimeoutNegativeWarning', 'cli/main.ts', role]
  return await startNode(args, env, signal, output)
}

/** Starts a script that reports `{ ready: { url } }` over IPC. Rejects where it ends or is late. */
export async function startNode (
  args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal, output: number = process.stderr.fd
): Promise<StartedRole> {
  signal.throwIfAborted()
  const child = spawn(process.execPath, args, {
    cwd: ROOT, env, detached: true, stdio: ['ignore', output, output, 'ipc']
  })
  const stop = () => stopProcess(child)
  try {
    const url = await readyUrl(child, args.join(' '), signal)
    return { process: child, pid: child.pid as number, url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** SIGTERM, and SIGKILL where that does not end it in time. Resolves when it has ended. */
export async function stopProcess (child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const ended = new Promise<void>((resolve) => { child.once('exit', () => resolve()) })
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await ended
  clearTimeout(late)
}

/** Resolves with the exit code, or the name of the signal; rejects where the process could not be started. */
export async function exitOf (child: ChildProcess): Promise<number | string> {
  if (hasEnded(child)) return child.exitCode ?? child.signalCode ?? 'unknown'
  return await new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
    child.once('error', reject)
  })
}

/** A port of loopback that nobody listened on a moment ago. */
export async function freePort (): Promise<number> {
  return await listenOnce(0)
}

export async function isPortFree (port: number): Promise<boolean> {
  return await listenOnce(port).then(() => true, () => false)
}

function hasEnded (child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

function listenOnce (port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const { port: taken } = server.address() as AddressInfo
      server.close(() => resolve(taken))
    })
  })
}

async function readyUrl (child: ChildProcess, name: string, signal: AbortSignal): Promise<string> {
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => fail(`was not ready within ${READY_MS_MAX} ms`), READY_MS_MAX)
    const onAbort = () => fail('was interrupted')
    const onExit = (code: number | null, ended: string | null) => fail(`ended with ${code ?? ended}`)
    const settle = () => {
      clearTimeout(late)
      signal.removeEventListener('abort', onAbort)
      child.removeListener('exit', onExit)
    }
    const fail = (what: string) => {
      settle()
      reject(new Error(`${name} ${what}`))
    }
    signal.addEventListener('abort', onAbort)
    child.once('exit', onExit)
    child.once('error', (error) => fail(error.message))
    child.once('message', (message: { ready: { url: string } }) => {
      settle()
      resolve(message.ready.url)
    })
  })
}
