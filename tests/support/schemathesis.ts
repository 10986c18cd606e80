/** Runs schemathesis, which makes requests from the API's description and holds the answers to it. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'

const PROGRAM = fileURLToPath(new URL('../../.tools/schemathesis/bin/st', import.meta.url))
const FOLDER = fileURLToPath(new URL('../e2e/schemathesis/', import.meta.url))

/** Path of schemathesis. Throws where it is missing and CI=true. */
export function findSchemathesis (): string | undefined {
  if (existsSync(PROGRAM)) return PROGRAM
  if (process.env['CI'] === 'true') throw new Error('There is no schemathesis: scripts/install-schemathesis.sh')
  console.warn('The API\'s description is not fuzzed: there is no schemathesis (scripts/install-schemathesis.sh)')
  return undefined
}

/** Runs it in `directory`. Exit code and what it said; 0 says that every answer was as described. */
export async function runSchemathesis (
  program: string, { url, apiKey, directory }: { url: string, apiKey: string, directory: string }
): Promise<{ code: number | null, output: string }> {
  const child = spawn(program, [
    '--config-file', `${FOLDER}schemathesis.toml`, 'run', `${url}/openapi.json`, '--header', `x-api-key: ${apiKey}`,
    '--no-color'
  ], {
    // It leaves a cache in the directory that it runs in.
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: '1', SCHEMATHESIS_HOOKS: 'hooks' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const output = await text(child.stdout)
  return { code: await exited, output }
}
