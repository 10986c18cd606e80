/** `millrace reader-sql`: what an administrator of a ClickHouse server runs once, by hand. */
import { clickHouseConfig, clickHouseSettings, readerStatements } from '../clickhouse/index.ts'
import { SettingsError, describeSettings, loadSettings } from './settings.ts'
import type { Command } from 'commander'
import type { CommandIo } from './access-commands.ts'

/** Adds the command. Its action throws SettingsError. */
export function addReaderCommand (program: Command, { env, print }: CommandIo): void {
  program.command('reader-sql')
    .description('Print the SQL that creates the read-only user on a ClickHouse server; the password is in it')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(clickHouseSettings)}`)
    .action(() => {
      const config = clickHouseConfig(loadSettings(clickHouseSettings, env))
      if (config.readPassword === '') throw new SettingsError(['CLICKHOUSE_READ_PASSWORD must be set: the user gets it'])
      print(readerStatements(config).map((statement) => `${statement};`).join('\n'))
    })
}
