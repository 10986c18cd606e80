/**
 * The examples of the documentation, run by a shell against the system as `millrace start` starts it: every
 * request succeeds, and every answer is the one that the page shows. `"…"` in a shown answer stands for any
 * value.
 */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PlaceLog } from '../support/place-log.ts'
import { codeBlocks } from '../support/markdown.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { streams } from '../../contract/index.ts'
import { until } from '../support/until.ts'
import type { CodeBlock } from '../support/markdown.ts'
import type { Millrace } from '../support/millrace.ts'

const run = promisify(execFile)
/** A command takes a second, and many times that on a busy machine. */
const BLOCK_MS_MAX = 240_000
const STORED_MS_MAX = 120_000

/** In this order: the pages that create keys close the system, and come last. */
const PAGES = [
  'README.md', 'docs/events.md', 'docs/query.md', 'docs/systems/user-tags.md', 'docs/systems/page-views.md',
  'docs/systems/interactions.md', 'docs/systems/analytics.md', 'docs/systems/visits.md', 'docs/access.md'
]

interface BlockResult {
  output: string
  /** Statuses of 400 and above. */
  refused: number[]
}

/** What a page shows being refused. */
const REFUSALS: Readonly<Record<string, number[]>> = { 'README.md': [400] }

/** How a page says that `millrace` is called. */
const MILLRACE = /`millrace`(?: command)? is `([^`]+)`/
/** What a reader has at hand; KEY outlives the block that sets it. */
const preambleOf = (page: string) => `
set -eo pipefail
millrace () { ${MILLRACE.exec(readFileSync(page, 'utf8'))?.[1] ?? 'false'} "$@"; }
curl () { command curl -sS -w '%{stderr}status %{http_code}\\n' "$@"; }
remember () { [ -z "$KEY" ] || printf '%s' "$KEY" > "$KEY_FILE"; }
trap remember EXIT
xdg-open () { curl -o /dev/null "$1"; }
[ ! -f "$KEY_FILE" ] || KEY=$(cat "$KEY_FILE")
`

/** Without the tools of the examples they cannot be run, which is an error in CI and a notice elsewhere. */
function toolsAreThere (): boolean {
  const missing = ['bash', 'curl'].filter((tool) => spawnSync(tool, ['--version']).status !== 0)
  if (missing.length === 0) return true
  if (process.env['CI'] === 'true') throw new Error(`There is no ${missing.join(', ')}`)
  console.warn(`The examples of the documentation are not run: there is no ${missing.join(', ')}`)
  return false
}

/** A shown answer, its `"…"` any value. */
function shown (text: string): unknown {
  return JSON.parse(text, (_name, value: unknown) => value === '…' ? expect.anything() : value)
}

describe.skipIf(!toolsAreThere())('the examples', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  const keyFile = join(directory, 'key')
  let millrace: Millrace
  let log: PlaceLog

  beforeAll(async () => {
    millrace = await startMillrace({ kind: 'embedded', env: { BATCH_AGE_MS_MAX: '100', ACCESS_POLL_MS: '50' } })
    log = new PlaceLog(millrace.place, streams.map(({ topic }) => topic))
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => {
    await log?.close()
    await millrace?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Runs a block as it stands, but for the ports: its output and refusals, when what it sent is stored. */
  async function runBlock (page: string, { text }: CodeBlock): Promise<BlockResult> {
    const { http, processors, clickHouse } = millrace.place.ports
    const script = text
      .replaceAll(/(localhost|127\.0\.0\.1):8080/g, `127.0.0.1:${http}`)
      .replaceAll('127.0.0.1:8081', `127.0.0.1:${processors}`)
      .replaceAll('127.0.0.1:8123', `127.0.0.1:${clickHouse}`)
    const env = { PATH: process.env['PATH'], KEY_FILE: keyFile, DATA_DIR: millrace.place.directory }
    const { stdout, stderr } = await run('bash', ['-c', preambleOf(page) + script], {
      env, cwd: resolve('.'), timeout: BLOCK_MS_MAX
    })
    const statuses = [...stderr.matchAll(/^status (\d+)$/gm)].map(([, status]) => Number(status))
    await log.drained(STORED_MS_MAX)
    await newKeyWorks(text)
    return { output: stdout, refused: statuses.filter((status) => status >= 400) }
  }

  /** A reader takes longer to type the next line than a role to see a new key. */
  async function newKeyWorks (text: string): Promise<void> {
    if (!text.includes('millrace keys create') || !existsSync(keyFile)) return
    const headers = { 'x-api-key': readFileSync(keyFile, 'utf8') }
    await until('the new key works', BLOCK_MS_MAX, async () => {
      return (await millrace.http.send({ path: '/streams', headers })).status !== 401 || undefined
    })
  }

  test.each(PAGES)('of %s do what the page says', async (page) => {
    const blocks = codeBlocks(page)
    const requests = [...blocks.entries()].filter(([, { language, text }]) => {
      return language === 'sh' && /\b(curl|millrace) /.test(text)
    })
    expect(requests.length).toBeGreaterThan(0)
    const refusals: Array<[text: string, refused: number[]]> = []
    for (const [index, block] of requests) {
      const { output, refused } = await runBlock(page, block)
      if (refused.length > 0) refusals.push([block.text, refused])
      const answer = blocks[index + 1]
      if (answer?.adjacent !== true || answer.language === 'sh') continue
      if (answer.language === 'json') expect([block.text, JSON.parse(output)]).toEqual([block.text, shown(answer.text)])
      else expect([block.text, output.trimEnd()]).toEqual([block.text, answer.text.trimEnd()])
    }
    expect([refusals, refusals.flatMap(([, refused]) => refused)]).toEqual([refusals, REFUSALS[page] ?? []])
  })
})
