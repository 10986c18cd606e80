import { RUN_SETTINGS } from './run-settings.ts'
import { mismatchesOf } from './run.ts'
import type { Machine, Revision } from '../machine.ts'
import type { ChaosResult } from './run.ts'
import type { InjectedFault } from './inject-faults.ts'

export interface ChaosReport {
  startedAt: string
  seed: number
  machine: Machine
  revision: Revision
  results: readonly ChaosResult[]
}

/** The report as Markdown. Every figure comes from the results. */
export function renderReport ({ startedAt, seed, machine, revision, results }: ChaosReport): string {
  return [
    '# Chaos report',
    `Written by \`make chaos\` at ${startedAt}, SEED=${seed}, commit ${revision.commit}` +
      `${revision.changed ? ', with changes that were not committed' : ''}. The same seed gives the same schedule of faults; what each ` +
      'of them hits depends on the machine. [delivery.md](delivery.md) says what is promised.',
    'Each role was a process of its own, two of them processors. Clients sent numbered events, of two streams, in batches and one ' +
      'by one, and repeated each request with the same event ids until it was acknowledged; some gave up, some repeated what had been ' +
      'acknowledged. At the end the tables were read with SQL that shares no code with the pipeline.',
    table(['Log', 'Faults', 'Acknowledged events', 'Mismatches', 'Checks', 'Seconds'], results.map((result) => [
      result.log, result.faults.length, acknowledgedOf(result), mismatchesOf(result), result.checks.length,
      Math.ceil(result.seconds)
    ])),
    `Machine: ${machine.cpuModel}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}; roles, broker and clients ran ` +
      'on it together.',
    'Settings that were not as they are by default:',
    table(['Setting', 'Value', 'Why'], RUN_SETTINGS.map(({ name, value, why }) => [`\`${name}\``, value, why])),
    ...results.flatMap(section)
  ].join('\n\n') + '\n'
}

function section (result: ChaosResult): string[] {
  const { log, means, load, events, books, reads, checks, faults, unexpectedEnds } = result
  return [
    `## ${log === 'embedded' ? 'Embedded log' : 'Kafka'}`,
    '### Events',
    table(['Stream', 'Sent', 'Acknowledged', 'Stored', 'Not acknowledged', 'Of these stored'], events.map((row) => [
      row.stream, row.sent, row.acknowledged, row.stored, row.sent - row.acknowledged,
      row.storedUnacknowledged
    ])),
    `${load.requests} requests: ${load.retries} were retries of what had not been acknowledged, ${load.repeats} repeated what had ` +
      `been, ${load.givenUp} parcels were given up, and of ${load.hungUp} the client hung up within 20 ms and never asked again. ${reads.answered} profiles were answered meanwhile, ${reads.failed} were not.`,
    '### Ledger',
    table(['Stream', 'Records in the log', 'Batches', 'Stored', 'Dead-lettered', 'Duplicates', 'Erased', 'Balance'],
      books.map(({ stream, records, batches, stored, deadLettered, duplicates, erased }) => [
        stream, records, batches, stored, deadLettered, duplicates, erased,
        records - stored - deadLettered - duplicates - erased
      ])),
    '### Checks',
    table(['What must hold', 'Mismatches'], checks.map(({ name, mismatches, examples }) => [
      name, mismatches === 0 ? '0' : `**${mismatches}**: ${examples.join('; ')}`
    ])),
    '### Faults',
    ...missingMeans(means),
    unexpectedEnds.length === 0
      ? 'No role ended other than by a fault that ends it.'
      : `Ended by themselves, and were started again (a role whose log does not answer does not start): ${tally(unexpectedEnds)}.`,
    table(['', 'At, s', 'Fault', 'Target', 'What was done'], faults.map(faultRow))
  ]
}

function missingMeans ({ disks, clickHouseDisk, clocks }: ChaosResult['means']): string[] {
  return [
    ...(disks && !clickHouseDisk
      ? ['The disk of ClickHouse was not filled; a proxy answered inserts as ClickHouse does then (`no space`).']
      : []),
    ...(disks ? [] : ['No disk was filled: no file system can be mounted here. A proxy answered inserts as ClickHouse does then (`no space`).']),
    ...(clocks ? [] : ['No clock was moved: libfaketime is not installed here.'])
  ]
}

/** Each text once, with how often it is there. */
function tally (texts: readonly string[]): string {
  const groups = Map.groupBy(texts, (text) => text)
  return [...groups].map(([text, { length }]) => length === 1 ? text : `${text} ${length} times`).join(', ')
}

function faultRow ({ number, begunMs, name, target, variant, note }: InjectedFault): Array<string | number> {
  return [number, (begunMs / 1_000).toFixed(1), variant === '' ? name : `${name}: ${variant}`, target, note]
}

function acknowledgedOf ({ events }: ChaosResult): number {
  return events.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
}

function table (head: readonly string[], rows: ReadonlyArray<ReadonlyArray<string | number>>): string {
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
