/** The command `millrace` with all that it can do. Nothing here ends the process. */
import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addAccessCommands } from './access-commands.ts'
import { addDeadLetterCommands } from './dead-letter-commands.ts'
import { addErasureCommands } from './erasure-commands.ts'
import { addLedgerCommand } from './ledger-command.ts'
import { addReaderCommand } from './reader-command.ts'
import { addReplayCommand } from './replay-command.ts'
import { describeSettings, loadCheckedSettings } from './settings.ts'
import { roles } from './roles/index.ts'
import { runRole } from './run-role.ts'
import type { CommandIo } from './access-commands.ts'
import type { Role } from './role.ts'

/** A role did not start, or its environment is not fine: `cause` says why. */
export class RoleFault extends Error {
  override readonly name = 'RoleFault'
  readonly role: string

  constructor (role: string, cause: unknown) {
    super(`${role} cannot start`, { cause })
    this.role = role
  }
}

/** Actions of roles reject with RoleFault, those of other commands with what they say themselves. */
export function buildProgram (io: CommandIo): Command {
  const program = new Command('millrace')
    .description('A stream-processing pipeline: events over HTTP, exactly once in ClickHouse, answered in milliseconds')
    .version(manifest.version)
    .showHelpAfterError('(--help says what there is)')
  for (const role of roles) addRole(program, role, io)
  addAccessCommands(program, io)
  addErasureCommands(program, io)
  addLedgerCommand(program, io)
  addDeadLetterCommands(program, io)
  addReplayCommand(program, io)
  addReaderCommand(program, io)
  return program
}

function addRole (program: Command, role: Role, { env, print }: CommandIo): void {
  program
    .command(role.name)
    .description(role.description)
    .option('--check-config', 'check the environment and end')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(role.settings)}`)
    .action(async ({ checkConfig }: { checkConfig?: boolean }) => {
      try {
        if (checkConfig !== true) return await runRole(role, env)
        await loadCheckedSettings(role, env)
        print(`${role.name}: the environment is fine`)
      } catch (error) {
        throw new RoleFault(role.name, error)
      }
    })
}
