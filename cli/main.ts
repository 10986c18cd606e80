#!/usr/bin/env -S node --disable-warning=TimeoutNegativeWarning
import { Command, InvalidArgumentError } from 'commander'
import { AccessError } from '../access/index.ts'
import { MillraceError } from '../contract/index.ts'
import { ReplayError } from '../replay/index.ts'
import { EXIT_FAULT, EXIT_SETTINGS } from './exit-codes.ts'
import { SettingsError, describeSettings, loadSettings } from './settings.ts'
import { addAccessCommands } from './access-commands.ts'
import { addErasureCommands } from './erasure-commands.ts'
import { addDeadLetterCommands } from './dead-letter-commands.ts'
import { addLedgerCommand } from './ledger-command.ts'
import { addReplayCommand } from './replay-command.ts'
import { roles } from './roles/index.ts'
import { runRole } from './run-role.ts'
import type { CommandIo } from './access-commands.ts'
import type { Role } from './role.ts'

const program = new Command('millrace')
  .description('A stream-processing pipeline: events over HTTP, exactly once in ClickHouse, answered in milliseconds')
  .showHelpAfterError()
for (const role of roles) addRole(role)
const io: CommandIo = {
  env: process.env, nowMs: Date.now, print: (text) => console.log(text), note: (text) => console.error(text)
}
addAccessCommands(program, io)
addErasureCommands(program, io)
addLedgerCommand(program, io)
addDeadLetterCommands(program, io)
addReplayCommand(program, io)
await program.parseAsync().catch(failCommand)

function addRole (role: Role): void {
  program
    .command(role.name)
    .description(role.description)
    .option('--check-config', 'check the environment and end')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(role.settings)}`)
    .action(async ({ checkConfig }: { checkConfig?: boolean }) => {
      try {
        if (checkConfig === true) console.log(describeChecked(role))
        else await runRole(role, process.env)
      } catch (error) {
        fail(role, error)
      }
    })
}

function describeChecked (role: Role): string {
  loadSettings(role.settings, process.env)
  return `${role.name}: the environment is fine`
}

/** A command that is no role: what its operator can mend is said in one line. */
function failCommand (error: unknown): never {
  const mendable = [AccessError, InvalidArgumentError, MillraceError, ReplayError, SettingsError]
  const known = mendable.some((each) => error instanceof each)
  console.error(known ? (error as Error).message : error)
  process.exit(error instanceof SettingsError ? EXIT_SETTINGS : EXIT_FAULT)
}

/** Says what is wrong, all of it, and ends: whoever supervises the process decides about another try. */
function fail (role: Role, error: unknown): never {
  if (error instanceof SettingsError) {
    console.error(`${role.name} cannot start with this environment:\n${error.faults.map((fault) => `  ${fault}`).join('\n')}`)
    process.exit(EXIT_SETTINGS)
  }
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    console.error(`${role.name} cannot start: ${(error as Error).message}`)
    process.exit(EXIT_SETTINGS)
  }
  console.error(`${role.name} cannot start:`, error)
  process.exit(EXIT_FAULT)
}
