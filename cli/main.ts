#!/usr/bin/env -S node --disable-warning=TimeoutNegativeWarning
import { InvalidArgumentError } from 'commander'
import { AccessError } from '../access/index.ts'
import { MillraceError } from '../contract/index.ts'
import { ReplayError } from '../replay/index.ts'
import { describeFault, isOwnError, isSystemError } from './describe-fault.ts'
import { EXIT_FAULT, EXIT_SETTINGS } from './exit-codes.ts'
import { RoleFault, buildProgram } from './program.ts'
import { SettingsError } from './settings.ts'

const program = buildProgram({
  env: process.env, nowMs: Date.now, print: (text) => console.log(text), note: (text) => console.error(text)
})
await program.parseAsync().catch((error) => error instanceof RoleFault ? failRole(error) : failCommand(error))

/** A command that is no role: what its operator can mend is said in one line. */
function failCommand (error: unknown): never {
  const mendable = [AccessError, InvalidArgumentError, MillraceError, ReplayError, SettingsError]
  const known = isSystemError(error) || mendable.some((each) => error instanceof each)
  console.error(known ? describeFault(error) : error)
  process.exit(error instanceof SettingsError ? EXIT_SETTINGS : EXIT_FAULT)
}

/** Says what is wrong, all of it, and ends: whoever supervises the process decides about another try. */
function failRole ({ role, cause }: RoleFault): never {
  if (cause instanceof SettingsError) {
    console.error(`${role} cannot start with this environment:\n${cause.faults.map((fault) => `  ${fault}`).join('\n')}`)
    process.exit(EXIT_SETTINGS)
  }
  if (isSystemError(cause) || isOwnError(cause)) console.error(`${role} cannot start: ${describeFault(cause)}`)
  else console.error(`${role} cannot start:`, cause)
  process.exit((cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? EXIT_SETTINGS : EXIT_FAULT)
}
