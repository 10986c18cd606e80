/** `millrace ledger`: the books, straight from the log and the database, for an operator and for scripts. */
import { clickHouseConfig, clickHouseSettings, createReadClient } from '../clickhouse/index.ts'
import { eventLogConfig, eventLogSettings, openEventLog } from '../eventlog/index.ts'
import { processorSettings } from '../processors/index.ts'
import { EVERY_ROW, clickHouseQueryClient, parseLedgerRequest, readLedger } from '../query-api/index.ts'
import { table } from './access-tables.ts'
import { EXIT_FAULT } from './exit-codes.ts'
import { logPositions } from './log-positions.ts'
import { opening } from './role.ts'
import { describeSettings, loadSettings } from './settings.ts'
import type { Command } from 'commander'
import type { Ledger } from '../query-api/index.ts'
import type { CommandIo } from './access-commands.ts'

const SETTINGS = {
  ...clickHouseSettings, ...eventLogSettings, PROCESSOR_GROUP: processorSettings.PROCESSOR_GROUP
}
const READ_MS_MAX = 300_000
const NO_LOG = { debug: () => undefined, warn: () => undefined }
/** Records, as GET /ledger names them. */
const COUNTS = [
  'accepted', 'stored', 'dead_lettered', 'duplicates', 'erased', 'in_flight', 'balance', 'imbalance'
] as const

interface LedgerOptions {
  from?: string
  to?: string
  stream?: string
  recount?: true
  minutes?: true
  json?: true
}

/** Adds the command. Its action throws MillraceError and SettingsError; it ends with 1 where books differ. */
export function addLedgerCommand (program: Command, io: CommandIo): void {
  program.command('ledger')
    .description('Compare what was accepted with what became of it; ends with 1 where the books do not balance')
    .option('--from <time>', 'of arrival: RFC 3339, or a date; the last day without it')
    .option('--to <time>', 'of arrival')
    .option('--stream <name>', 'one stream alone')
    .option('--recount', 'count the rows of the tables again as well')
    .option('--minutes', 'show every minute')
    .option('--json', 'for machines; the whole answer of GET /ledger')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(SETTINGS)}`)
    .action(async ({ minutes, json, recount, ...filter }: LedgerOptions) => {
      const query = { ...filter, limit: '5000', ...(recount === true ? { recount: 'true' } : {}) }
      const ledger = await read(query, io)
      if (json === true) io.print(JSON.stringify(ledger, null, 2))
      else io.print(ledgerText(ledger, minutes === true))
      if (!ledger.balanced) process.exitCode = EXIT_FAULT
    })
}

async function read (query: Record<string, string>, { env, nowMs }: CommandIo): Promise<Ledger> {
  const settings = loadSettings(SETTINGS, env)
  const request = parseLedgerRequest(query, nowMs())
  return await opening(async (closers) => {
    const config = clickHouseConfig(settings)
    const client = createReadClient(config)
    closers.add(() => client.close())
    const eventLog = openEventLog(eventLogConfig(settings), NO_LOG)
    closers.add(() => eventLog.close())
    const sources = {
      client: clickHouseQueryClient(client, EVERY_ROW),
      logPositions: logPositions({ eventLog, group: settings.PROCESSOR_GROUP }),
      retentionDays: config.retentionDays,
      now: nowMs
    }
    const ledger = await readLedger(request, sources, AbortSignal.timeout(READ_MS_MAX))
    await closers.closeAll()
    return ledger
  })
}

function ledgerText (ledger: Ledger, withMinutes: boolean): string {
  const { from, to, totals, partitions, minutes, faults, next_cursor: more, recounted } = ledger
  const counts = (row: object): string[] => COUNTS.map((name) => String((row as Record<string, number>)[name] ?? ''))
  const heads = COUNTS.map((name) => name.toUpperCase().replace('_', ' '))
  const verdict = ledger.balanced ? 'The books balance' : 'The books DO NOT balance'
  return [
    `Arrivals from ${from} to ${to}`,
    table(['STREAM', 'PARTITION', ...heads], [
      ...partitions.map((row) => [row.stream, String(row.partition), ...counts(row)]),
      ['all', '', ...counts(totals)]
    ]),
    ...(withMinutes
      ? [table(['MINUTE', 'STREAM', 'PARTITION', ...heads], minutes.map((row) => {
          return [row.minute, row.stream, String(row.partition), ...counts(row)]
        }))]
      : []),
    ...(withMinutes && more !== null ? ['There are more minutes: ask for a shorter time.'] : []),
    ...(recounted.length > 0 ? [`Counted again: ${[...new Set(recounted.map((each) => each.table))].join(', ')}`] : []),
    ...(faults.length > 0 ? [faultsTable(faults)] : []),
    `${verdict}: ${totals.accepted} accepted, ${totals.in_flight} in flight.`
  ].join('\n\n')
}

function faultsTable (faults: Ledger['faults']): string {
  const heads = ['FAULT', 'TABLE', 'STREAM', 'PARTITION', 'MINUTE', 'OFFSETS', 'EXPECTED', 'FOUND']
  return table(heads, faults.map(({ first_offset: first, last_offset: last, ...fault }) => [
    fault.kind,
    fault.table,
    fault.stream,
    String(fault.partition ?? ''),
    fault.minute ?? '',
    first === null ? '' : `${first}-${last ?? ''}`,
    String(fault.expected),
    String(fault.found)
  ]))
}
