import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { pino } from 'pino'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accessSettings } from '../../access/index.ts'
import { addAccessCommands } from '../../cli/access-commands.ts'
import { openAccessPart } from '../../cli/access-part.ts'
import { Closers } from '../../cli/role.ts'
import { SettingsError, loadSettings } from '../../cli/settings.ts'
import { httpSettings } from '../../http/index.ts'

const NOW_MS = Date.UTC(2026, 4, 6)

let directory: string
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), 'millrace-keys-')) })
afterEach(() => { rmSync(directory, { recursive: true }) })

/** Runs `millrace <words>`: what it printed and noted. Rejects where the command does. */
async function run (...words: string[]) {
  const printed: string[] = []
  const noted: string[] = []
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  addAccessCommands(program, {
    env: { DATA_DIR: directory },
    nowMs: () => NOW_MS,
    print: (text) => { printed.push(text) },
    note: (text) => { noted.push(text) }
  })
  for (const command of program.commands.flatMap((group) => group.commands)) {
    command.exitOverride().configureOutput({ writeErr: () => undefined })
  }
  await program.parseAsync(words, { from: 'user' })
  return { printed: printed.join('\n'), noted: noted.join('\n') }
}

describe('millrace keys', () => {
  test('create prints the secret alone, once; neither the file nor the list has it', async () => {
    await run('orgs', 'create', 'acme', '--name', 'Acme', '--origin', 'https://a.example')
    const create = ['keys', 'create', '--org', 'acme', '--scope', 'ingest,query', '--expires', '90d']
    const { printed, noted } = await run(...create)
    expect(printed).toMatch(/^mr_[\w-]{43}$/)
    expect(noted).toMatch(/key_[0-9a-f]{16} of acme may ingest, query/)
    expect(readFileSync(join(directory, 'access.json'), 'utf8')).not.toContain(printed)
    const [key] = JSON.parse((await run('keys', 'list', '--json')).printed)
    expect(key).toMatchObject({
      organisation: 'acme', scopes: ['ingest', 'query'], expires_at: new Date(NOW_MS + 90 * 86_400_000).toISOString()
    })
    expect(key).not.toHaveProperty('sha256')
    expect((await run('keys', 'list')).printed).not.toContain(printed)
  })

  test('create says which file it wrote: a command of another folder writes another one', async () => {
    const { noted } = await run('keys', 'create', '--org', 'default', '--scope', 'query')
    expect(noted.split('\n')).toContain(`Written to ${join(directory, 'access.json')}.`)
  })

  test('the list of an organisation that there is not is refused', async () => {
    await expect(run('keys', 'list', '--org', 'nope')).rejects.toMatchObject({ code: 'organisation_unknown' })
  })

  test('revoke is seen in the list, which can be that of one organisation', async () => {
    await run('orgs', 'create', 'acme')
    await run('keys', 'create', '--org', 'acme', '--scope', 'admin')
    await run('keys', 'create', '--org', 'default', '--scope', 'query', '--rate-limit', '5')
    const [key] = JSON.parse((await run('keys', 'list', '--org', 'acme', '--json')).printed)
    await run('keys', 'revoke', key.id)
    const { printed } = await run('keys', 'list')
    expect(printed.split('\n').map((line) => line.split(/ {2,}/)[4])).toEqual(['STATE', 'revoked', 'active'])
  })

  test.each([
    [['keys', 'create', '--org', 'nobody', '--scope', 'query'], 'organisation_unknown'],
    [['keys', 'revoke', 'key_0'], 'key_unknown'],
    [['keys', 'create', '--org', 'default'], 'commander.missingMandatoryOptionValue'],
    [['keys', 'create', '--org', 'default', '--scope', 'root'], 'commander.invalidArgument'],
    [['keys', 'create', '--org', 'default', '--scope', 'query', '--expires', '2020-01-01T00:00:00Z'], 'commander.invalidArgument'],
    [['keys', 'create', '--org', 'default', '--scope', 'query', '--expires', 'soon'], 'commander.invalidArgument'],
    [['keys', 'create', '--org', 'default', '--scope', 'query', '--rate-limit', '0'], 'commander.invalidArgument'],
    [['orgs', 'create', 'Not An Id'], 'argument_invalid'],
    [['orgs', 'create', 'acme', '--name', 'x'.repeat(257)], 'argument_invalid'],
    [['orgs', 'create', 'acme', '--origin', '*'], 'argument_invalid']
  ])('%j is refused with %s, and changes nothing', async (words, code) => {
    await expect(run(...words)).rejects.toMatchObject({ code })
    expect((await run('orgs', 'list', '--json')).printed).toBe('[]')
  })

  test('a name that could steer a terminal is shown without its controls', async () => {
    await run('orgs', 'create', 'acme', '--name', '\u001B[2Jgone')
    expect((await run('orgs', 'list')).printed).toContain('[2Jgone')
    expect((await run('orgs', 'list')).printed).not.toContain('\u001B')
  })

  test('origins replaces the list of an organisation', async () => {
    await run('orgs', 'create', 'acme', '--origin', 'https://a.example')
    await run('orgs', 'origins', 'acme', 'https://b.example', 'http://localhost:3000')
    const [acme] = JSON.parse((await run('orgs', 'list', '--json')).printed)
    expect(acme.origins).toEqual(['https://b.example', 'http://localhost:3000'])
  })
})

describe('a role', () => {
  const closers = new Closers()
  afterEach(() => closers.closeAll())

  async function open (env: NodeJS.ProcessEnv) {
    const lines: string[] = []
    const settings = loadSettings({ ...httpSettings, ...accessSettings }, { DATA_DIR: directory, ...env })
    const log = pino({ level: 'info' }, { write: (line: string) => { lines.push(line) } })
    await openAccessPart(settings, { log, closers, registry: new Registry() })
    return lines.join('')
  }

  test('says that it runs open, and refuses to do so on the network', async () => {
    expect(await open({})).toContain('runs open')
    await expect(open({ HTTP_HOST: '0.0.0.0' })).rejects.toThrow(SettingsError)
  })

  test('listens on the network when there is a key, or one is asked for', async () => {
    expect(await open({ HTTP_HOST: '0.0.0.0', AUTH: 'required' })).toContain('every request needs an API key')
    await run('keys', 'create', '--org', 'default', '--scope', 'ingest')
    expect(await open({ HTTP_HOST: '0.0.0.0' })).toContain('every request needs an API key')
  })
})
