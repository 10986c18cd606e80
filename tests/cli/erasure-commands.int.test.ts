/** `millrace erasures …` on a database, with no system beside it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addErasureCommands } from '../../cli/erasure-commands.ts'
import { streams } from '../../contract/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

let clickHouse: TestClickHouse
let directory: string
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  directory = mkdtempSync(join(tmpdir(), 'millrace-erasures-'))
})
afterAll(async () => {
  await clickHouse?.close()
  rmSync(directory, { recursive: true })
})

/** Runs `millrace erasures <words>`; what it printed. Rejects where the command does. */
async function run (words: readonly string[], extra: Record<string, string> = {}): Promise<string> {
  const { config } = clickHouse
  const printed: string[] = []
  const program = new Command()
  addErasureCommands(program, {
    env: {
      DATA_DIR: directory,
      CLICKHOUSE_URL: config.url,
      CLICKHOUSE_DATABASE: config.database,
      CLICKHOUSE_USER: config.user,
      CLICKHOUSE_PASSWORD: config.password,
      ...extra
    },
    nowMs: Date.now,
    print: (text) => { printed.push(text) },
    note: () => undefined
  })
  await program.parseAsync(['erasures', ...words], { from: 'user' })
  return printed.join('\n')
}

test('create prints the id of an erasure, which its organisation lists and shows, and no other', async () => {
  const some = await run(['create', 'u1', '--stream', 'visits', 'page_views'])
  const all = await run(['create', 'u2'])
  const listed = JSON.parse(await run(['list', '--json'])) as Array<{ id: string, state: string, streams: string[] }>
  expect(listed.map(({ id, streams }) => [id, streams])).toEqual([
    [all, streams.map(({ name }) => name)], [some, ['visits', 'page_views']]
  ])
  expect(JSON.parse(await run(['show', some]))).toMatchObject({ id: some, state: 'hidden', tables: [], removed_at: null })
  expect((await run(['list'])).split('\n').map((line) => line.split(/ {2,}/).slice(0, 2)))
    .toEqual([['ID', 'STATE'], [all, 'hidden'], [some, 'hidden']])
  const rows = (await run(['list'])).split('\n').map((line) => line.split(/ +/).at(-2))
  expect(rows).toEqual(['ROWS', '-', '-'])
  expect(JSON.parse(await run(['list', '--org', 'acme', '--json']))).toEqual([])
  await expect(run(['show', some, '--org', 'acme'])).rejects.toMatchObject({ code: 'erasure_not_found' })
})

test.each([
  [['create', 'u1', '--stream', 'page_viewz'], {}, 'unknown_value'],
  [['create', ''], {}, 'invalid_text'],
  [['create', 'u'.repeat(1025)], {}, 'invalid_text'],
  [['create', 'u1', '--org', 'nope'], {}, 'organisation_unknown'],
  [['show', 'none'], {}, 'erasure_not_found'],
  [['create', 'u1'], { CLICKHOUSE_URL: 'http://clickhouse.example:8123' }, 'erasure_not_configured'],
  [['list'], { CLICKHOUSE_URL: 'http://127.0.0.1:1' }, 'storage_unavailable']
])('%j with %j is refused with %s, and erases nothing', async (words, extra, code) => {
  const before = await run(['list'])
  await expect(run(words, extra)).rejects.toMatchObject({ code })
  expect(await run(['list'])).toBe(before)
})

test('a stream that there is not is answered with those that there are', async () => {
  await expect(run(['create', 'u1', '--stream', 'page_viewz'])).rejects.toThrow('user_tags, ')
})
