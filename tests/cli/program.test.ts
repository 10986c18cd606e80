import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RoleFault, buildProgram } from '../../cli/program.ts'
import { roles } from '../../cli/index.ts'
import type { Command } from 'commander'

let directory: string
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), 'millrace-cli-')) })
afterEach(() => { rmSync(directory, { recursive: true }) })

/** Calls `millrace <words>` with an environment: what it printed, or what it rejected with. */
async function run (env: NodeJS.ProcessEnv, ...words: string[]): Promise<string> {
  const printed: string[] = []
  const print = (text: string) => { printed.push(text) }
  const program = buildProgram({ env: { DATA_DIR: directory, ...env }, nowMs: Date.now, print, note: print })
  for (const command of allCommands(program)) command.exitOverride().configureOutput({ writeOut: print })
  await program.parseAsync(words, { from: 'user' })
  return printed.join('\n')
}

function allCommands (command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)]
}

async function faultsOf (role: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const fault = await run(env, role, '--check-config').catch((error: unknown) => error)
  expect(fault).toBeInstanceOf(RoleFault)
  return (fault as { cause: { faults: readonly string[] } }).cause.faults
}

describe.each(roles.map(({ name }) => name))('millrace %s --check-config', (role) => {
  test('finds an empty environment fine', async () => {
    expect(await run({}, role, '--check-config')).toBe(`${role}: the environment is fine`)
  })

  test('finds a setting that is wrong by itself', async () => {
    expect(await faultsOf(role, { LOG_LEVEL: 'loud' })).toEqual([expect.stringMatching(/^LOG_LEVEL must be .*fatal/)])
  })
})

describe('--check-config finds what settings must be to each other', () => {
  test.each(['start', 'serve', 'ingest', 'query-api'])('%s: an address of the network without a key', async (role) => {
    const env = { HTTP_HOST: '0.0.0.0' }
    expect(await faultsOf(role, env)).toEqual([expect.stringContaining('HTTP_HOST=0.0.0.0 would open the system')])
    await run({}, 'keys', 'create', '--org', 'default', '--scope', 'ingest')
    expect(await run(env, role, '--check-config')).toContain('fine')
  })

  test('an address of the network is fine where every request needs a key', async () => {
    expect(await run({ HTTP_HOST: '0.0.0.0', AUTH: 'required' }, 'start', '--check-config')).toContain('fine')
  })

  test('a file of keys that cannot be used', async () => {
    const file = join(directory, 'keys.json')
    writeFileSync(file, '{')
    expect(await faultsOf('ingest', { ACCESS_FILE: file })).toEqual(['The file of keys is not JSON'])
  })

  test.each(['start', 'serve', 'ingest', 'query-api', 'processors'])('%s: a SASL mechanism without credentials', async (role) => {
    const env = { KAFKA_BROKERS: 'b:9092', KAFKA_SASL_MECHANISM: 'plain' }
    const fault = 'KAFKA_SASL_MECHANISM=plain needs KAFKA_USERNAME and KAFKA_PASSWORD'
    expect(await faultsOf(role, env)).toEqual([fault])
    expect(await faultsOf(role, { ...env, KAFKA_USERNAME: 'u' })).toEqual([fault])
    expect(await run({ ...env, KAFKA_USERNAME: 'u', KAFKA_PASSWORD: 'p' }, role, '--check-config')).toContain('fine')
  })

  test.each(['start', 'serve', 'query-api'])('%s: questions that outlast the read or the request', async (role) => {
    const fault = [expect.stringContaining('must be less than CLICKHOUSE_READ_SECONDS_MAX=')]
    expect(await faultsOf(role, { QUERY_SECONDS_MAX: '500' })).toEqual(fault)
    expect(await faultsOf(role, { QUERY_SECONDS_MAX: '30', CLICKHOUSE_REQUEST_TIMEOUT_MS: '60000' })).toEqual(fault)
    expect(await faultsOf(role, { CLICKHOUSE_REQUEST_TIMEOUT_MS: '20000' })).toEqual(fault)
  })

  test('start: two listeners on one port', async () => {
    const env = { HTTP_PORT: '8123' }
    const fault = 'HTTP_PORT=8123, PROCESSORS_PORT=8081, CLICKHOUSE_PORT=8123 must be different ports'
    expect(await faultsOf('start', env)).toEqual([fault])
    expect(await run({ ...env, CLICKHOUSE_URL: 'http://c:8123' }, 'start', '--check-config')).toContain('fine')
  })
})

describe('--check-config reports every fault at once', () => {
  const env = {
    HTTP_HOST: '0.0.0.0', HTTP_PORT: 'many', KAFKA_SASL_MECHANISM: 'plain', QUERY_SECONDS_MAX: 'long', AGGREGATES_QUERIES_MAX: '0'
  }
  const faults = [
    'AGGREGATES_QUERIES_MAX must be >= 1',
    expect.stringContaining('HTTP_HOST=0.0.0.0 would open the system'),
    'HTTP_PORT must be integer',
    expect.stringContaining('KAFKA_SASL_MECHANISM=plain needs'),
    // Not: what a QUERY_SECONDS_MAX that is no number would have to be less than.
    'QUERY_SECONDS_MAX must be integer'
  ]

  test('those of one setting and those of several', async () => {
    expect((await faultsOf('start', env)).toSorted()).toEqual(faults)
  })

  test('and a start reports the same', async () => {
    const fault = await run(env, 'start').catch((error: unknown) => error)
    expect((fault as { cause: { faults: string[] } }).cause.faults.toSorted()).toEqual(faults)
  })
})

describe('millrace reader-sql', () => {
  test('prints what creates the read-only user with its limits, and lets it read', async () => {
    const password = { CLICKHOUSE_READ_USER: 'bi', CLICKHOUSE_READ_PASSWORD: "it's" }
    const env = { ...password, CLICKHOUSE_READ_SECONDS_MAX: '7' }
    const [create, grant, ...others] = (await run(env, 'reader-sql')).split('\n')
    expect(create).toMatch(/^CREATE USER .*bi.* SETTINGS readonly = 2 CONST, max_execution_time = 7 .*;$/)
    expect(create).toMatch(/ BY 'it.*s' /)
    expect(grant).toMatch(/^GRANT .*SELECT, SHOW ON millrace\.\* TO .*bi.*;$/)
    expect(others).toEqual([])
  })

  test('creates no user without a password', async () => {
    await expect(run({}, 'reader-sql')).rejects.toThrow('CLICKHOUSE_READ_PASSWORD must be set')
  })
})

describe('--help', () => {
  const program = buildProgram({ env: {}, nowMs: Date.now, print: () => {}, note: () => {} })
  const paths = program.commands.flatMap((command) => {
    return [[command.name()], ...command.commands.map((sub) => [command.name(), sub.name()])]
  })

  /** What `--help` shows. */
  async function help (...words: string[]): Promise<string> {
    const shown: string[] = []
    const built = buildProgram({ env: {}, nowMs: Date.now, print: () => {}, note: () => {} })
    const output = { writeOut: (text: string) => { shown.push(text) } }
    for (const command of allCommands(built)) command.exitOverride().configureOutput(output)
    await expect(built.parseAsync([...words, '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 })
    return shown.join('')
  }

  test('lists every command', async () => {
    const shown = await help()
    for (const command of program.commands) expect(shown).toMatch(new RegExp(`^  ${command.name()}\\b.* {2}\\w`, 'm'))
  })

  test.each(paths.map((path) => [path.join(' '), path] as const))('%s says how it is called', async (_name, path) => {
    const shown = await help(...path)
    expect(shown).toContain(`Usage: millrace ${path.join(' ')}`)
    expect(shown).toMatch(/\n\n[A-Z]\w+ .*\w/)
  })

  test.each(roles.map((role) => [role.name, role] as const))('%s names its environment variables', async (name, role) => {
    const shown = await help(name)
    expect(shown).toContain('--check-config')
    for (const variable of Object.keys(role.settings)) expect(shown).toMatch(new RegExp(`^  ${variable}\\b`, 'm'))
  })
})

describe('millrace', () => {
  test('tells its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    await expect(run({}, '--version')).rejects.toMatchObject({ code: 'commander.version', message: version })
  })

  test('an argument that there is not is answered in two lines', async () => {
    const said: string[] = []
    const program = buildProgram({ env: {}, nowMs: Date.now, print: () => undefined, note: () => undefined })
    for (const command of allCommands(program)) {
      command.exitOverride().configureOutput({ writeErr: (text) => { said.push(text) } })
    }
    await expect(program.parseAsync(['start', '--nope'], { from: 'user' })).rejects.toBeDefined()
    expect(said.join('').trim().split('\n')).toEqual(["error: unknown option '--nope'", '(--help says what there is)'])
  })
})
