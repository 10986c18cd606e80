/** `millrace erasures …`: asks for erasures and shows their receipts, straight on the database. */
import { v7 } from 'uuid'
import {
  STANDARD_ORGANISATION, accessFileOf, accessFileSettings, parseAccessFile, readAccessText,
  requireOrganisation
} from '../access/index.ts'
import { clickHouseConfig, clickHouseSettings, createWriteClient } from '../clickhouse/index.ts'
import { ErasureStore, Erasures, erasureSettings } from '../erasure/index.ts'
import { eventLogConfig, eventLogSettings } from '../eventlog/index.ts'
import { openSubjectHasher } from './erasure-part.ts'
import { describeSettings, loadSettings } from './settings.ts'
import { table } from './access-tables.ts'
import type { Command } from 'commander'
import type { Receipt } from '../erasure/index.ts'
import type { CommandIo } from './access-commands.ts'

const SETTINGS = {
  ...accessFileSettings, ...clickHouseSettings, ...eventLogSettings, ...erasureSettings
}
const LIST_MAX = 200

/** Adds the commands. Their actions throw MillraceError, SettingsError and the client's errors. */
export function addErasureCommands (program: Command, io: CommandIo): void {
  const erasures = program.command('erasures').description('Erase subjects, and show the receipts')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(SETTINGS)}`)
  erasures.command('create <subject>')
    .description('Erase what was accepted of a subject until now; a running system carries it out')
    .option('--org <id>', 'whose subject it is', STANDARD_ORGANISATION)
    .option('--stream <name...>', 'streams to erase from; all of them without it')
    .action(async (subject: string, { org, stream }: { org: string, stream?: string[] }) => {
      await requireKnown(org, io)
      const receipt = await withErasures(io, (open) => open.create({ tenant: org, subject, streams: stream }))
      io.note('From now on no read shows what was accepted until then. The erasure is:')
      io.print(receipt.id)
    })
  erasures.command('list')
    .description(`List the newest ${LIST_MAX} erasures of an organisation`)
    .option('--org <id>', 'whose erasures', STANDARD_ORGANISATION)
    .option('--json', 'for machines')
    .action(async ({ org, json }: { org: string, json?: true }) => {
      const receipts = await withErasures(io, (open) => open.list(org, LIST_MAX))
      io.print(json === true ? JSON.stringify(receipts, null, 2) : erasuresTable(receipts))
    })
  erasures.command('show <id>')
    .description('Show the receipt of an erasure')
    .option('--org <id>', 'whose erasure', STANDARD_ORGANISATION)
    .action(async (id: string, { org }: { org: string }) => {
      io.print(JSON.stringify(await withErasures(io, (open) => open.show(org, id)), null, 2))
    })
}

/** A slip in the name would be an erasure of nothing, with a receipt. Throws AccessError. */
async function requireKnown (organisation: string, { env }: CommandIo): Promise<void> {
  const file = accessFileOf(loadSettings(accessFileSettings, env))
  requireOrganisation(parseAccessFile(await readAccessText(file)), organisation)
}

async function withErasures<T> (
  { env, nowMs }: CommandIo, work: (erasures: Erasures) => Promise<T>
): Promise<T> {
  const settings = loadSettings(SETTINGS, env)
  const client = createWriteClient(clickHouseConfig(settings))
  try {
    return await work(new Erasures({
      store: new ErasureStore(client),
      hasher: openSubjectHasher(settings),
      logRetentionMs: eventLogConfig(settings).topic.retentionMs,
      now: nowMs,
      newId: () => v7(),
      onCreated: () => undefined
    }))
  } finally {
    await client.close()
  }
}

function erasuresTable (receipts: readonly Receipt[]): string {
  return table(['ID', 'STATE', 'CUT-OFF', 'STREAMS', 'ROWS', 'REMOVED'], receipts.map((receipt) => [
    receipt.id,
    receipt.state,
    receipt.cutoff,
    receipt.streams.join(','),
    // Nothing has been looked for yet: 0 would say that nothing was found.
    receipt.state === 'hidden' ? '' : String(receipt.tables.reduce((rows, each) => rows + each.rows_masked, 0)),
    receipt.removed_at ?? ''
  ]))
}
