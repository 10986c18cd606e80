import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MillracePlace } from '../support/millrace.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const DONE_MS_MAX = 300_000

export interface ReplayCommand {
  argv: string[]
  env: NodeJS.ProcessEnv
}

/** `millrace replay` on a running system, for a process of Node. */
export function replayCommand (
  { directory, ports, logEnv }: MillracePlace, args: readonly string[], env: Record<string, string> = {}
): ReplayCommand {
  return {
    argv: ['--disable-warning=TimeoutNegativeWarning', MAIN, 'replay', ...args],
    env: {
      PATH: process.env['PATH'] ?? '',
      DATA_DIR: directory,
      CLICKHOUSE_URL: `http://127.0.0.1:${ports.clickHouse}`,
      ...logEnv,
      ...env
    }
  }
}

/** Runs a command to its end: what it printed. Rejects with its error output where it failed. */
export async function runReplay ({ argv, env }: ReplayCommand): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, argv, { env, timeout: DONE_MS_MAX })
  return stdout
}
