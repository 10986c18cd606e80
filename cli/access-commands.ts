/** `millrace orgs …` and `millrace keys …`: what an operator does with organisations and API keys. */
import { resolve } from 'node:path'
import { Option } from 'commander'
import {
  SCOPES, accessFileOf, accessFileSettings, changeAccessFile, newKeyId, newSecret, parseAccessFile,
  readAccessText, requireOrganisation, withKey, withOrganisation, withOrigins, withRevokedKey
} from '../access/index.ts'
import { describeSettings, loadSettings } from './settings.ts'
import { keysTable, organisationsTable } from './access-tables.ts'
import { parseExpiry, parseRate, parseScopes } from './access-arguments.ts'
import type { Command } from 'commander'
import type { AccessFile } from '../access/index.ts'
import type { Scope } from '../http/index.ts'

export interface CommandIo {
  env: NodeJS.ProcessEnv
  nowMs: () => number
  /** What the command is asked for. */
  print: (text: string) => void
  /** What is for the eyes of whoever called it. */
  note: (text: string) => void
}

interface NewKeyOptions {
  org: string
  scope: Scope[]
  name: string
  expires?: number
  rateLimit?: number
}

/** Adds the commands. Their actions throw AccessError and SettingsError. */
export function addAccessCommands (program: Command, io: CommandIo): void {
  const help = `\nEnvironment variables [default]:\n${describeSettings(accessFileSettings)}`
  addOrganisationCommands(program.command('orgs').description('Manage organisations').addHelpText('after', help), io)
  addKeyCommands(program.command('keys').description('Manage API keys').addHelpText('after', help), io)
}

function addOrganisationCommands (orgs: Command, io: CommandIo): void {
  orgs.command('create <id>')
    .description('Create an organisation: the tenant of what its keys write and read')
    .option('--name <text>', 'what people call it', '')
    .option('--origin <origin...>', 'web origins whose pages may use its keys, such as https://shop.example', [])
    .action(async (id: string, { name, origin }: { name: string, origin: string[] }) => {
      await change(io, (file) => withOrganisation(file, { id, name, origins: origin }, io.nowMs()))
      io.note(`The organisation ${id} exists now.`)
    })
  orgs.command('origins <id> [origin...]')
    .description('Replace the web origins of an organisation; none: no page may use its keys')
    .action(async (id: string, origins: string[]) => {
      await change(io, (file) => withOrigins(file, id, origins))
      io.note(`The organisation ${id} lists ${origins.length === 0 ? 'no origin' : origins.join(', ')} now.`)
    })
  orgs.command('list')
    .description('List the organisations')
    .option('--json', 'for machines')
    .action(async ({ json }: { json?: true }) => {
      const { organisations } = await read(io)
      io.print(json === true ? JSON.stringify(organisations, null, 2) : organisationsTable(organisations))
    })
}

function addKeyCommands (keys: Command, io: CommandIo): void {
  keys.command('create')
    .description('Create a key and print its secret, which is not stored and cannot be shown again')
    .requiredOption('--org <id>', 'whose key it is')
    .addOption(new Option('--scope <scopes>', `what it may do, of ${SCOPES.join(', ')}; separated by commas`)
      .argParser(parseScopes).makeOptionMandatory())
    .option('--name <text>', 'what it is for', '')
    .addOption(new Option('--expires <when>', 'a time (RFC 3339), or a period such as 90d or 12h')
      .argParser((text) => parseExpiry(text, io.nowMs())))
    .addOption(new Option('--rate-limit <n>', 'requests a second, instead of RATE_LIMIT_PER_SECOND')
      .argParser(parseRate))
    .action(async ({ org, scope, name, expires, rateLimit }: NewKeyOptions) => {
      const [id, secret] = [newKeyId(), newSecret()]
      const limits = { expiresAtMs: expires, rateLimitPerSecond: rateLimit }
      const key = { id, secret, organisation: org, name, scopes: scope, ...limits }
      await change(io, (file) => withKey(file, key, io.nowMs()))
      io.note(`The key ${id} of ${org} may ${scope.join(', ')}. This is its secret, shown this once:`)
      io.print(secret)
    })
  keys.command('revoke <id>')
    .description('Revoke a key: within a moment no role takes it any more')
    .action(async (id: string) => {
      await change(io, (file) => withRevokedKey(file, id, io.nowMs()))
      io.note(`The key ${id} is revoked.`)
    })
  keys.command('list')
    .description('List the keys; GET /keys of a running role tells their last use as well')
    .option('--org <id>', 'of one organisation')
    .option('--json', 'for machines')
    .action(async ({ org, json }: { org?: string, json?: true }) => {
      const file = await read(io)
      if (org !== undefined) requireOrganisation(file, org)
      const listed = file.keys
        .filter(({ organisation }) => org === undefined || organisation === org)
        .map(({ sha256, ...key }) => key)
      io.print(json === true ? JSON.stringify(listed, null, 2) : keysTable(listed, io.nowMs()))
    })
}

async function change (io: CommandIo, work: (file: AccessFile) => AccessFile): Promise<void> {
  const file = fileOf(io)
  await changeAccessFile(file, work)
  // A command of another folder changes another file than the roles read.
  io.note(`Written to ${resolve(file)}.`)
}

async function read (io: CommandIo): Promise<AccessFile> {
  return parseAccessFile(await readAccessText(fileOf(io)))
}

function fileOf ({ env }: CommandIo): string {
  return accessFileOf(loadSettings(accessFileSettings, env))
}
