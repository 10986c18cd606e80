/** `millrace dead-letters …`: what an operator does with records that could not be stored. */
import { readFile } from 'node:fs/promises'
import { InvalidArgumentError } from 'commander'
import { STANDARD_ORGANISATION } from '../access/index.ts'
import { parseBulkRequest, parseLetterId, parseListRequest } from '../dead-letters/index.ts'
import { eventLogConfig, openEventLog } from '../eventlog/index.ts'
import { table } from './access-tables.ts'
import { deadLetterSettings, openDeadLetters } from './dead-letter-part.ts'
import { EXIT_FAULT } from './exit-codes.ts'
import { opening } from './role.ts'
import { describeSettings, loadSettings } from './settings.ts'
import type { Command } from 'commander'
import type { BulkAnswer, DeadLetters, LetterList } from '../dead-letters/index.ts'
import type { CommandIo } from './access-commands.ts'

/** Of one line; `show` has it whole. */
const DETAIL_LENGTH_MAX = 60
const NO_LOG = { debug: () => undefined, warn: () => undefined }

interface Filter {
  org: string
  stream?: string
  reason?: string
  state?: string
  from?: string
  to?: string
  limit?: string
}

interface RetryOptions extends Filter {
  event?: string
  all?: true
  dryRun?: true
}

/** Adds the commands. Their actions throw MillraceError and SettingsError. */
export function addDeadLetterCommands (program: Command, io: CommandIo): void {
  const letters = program.command('dead-letters').description('Look at records that could not be stored, and retry them')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(deadLetterSettings)}`)
  withFilter(letters.command('list'))
    .description('List the newest dead letters of an organisation')
    .option('--cursor <text>', 'where the page before ended')
    .option('--json', 'for machines')
    .action(async ({ org, json, ...query }: Filter & { json?: true, cursor?: string }) => {
      const list = await withLetters(io, (open) => open.list(org, parseListRequest(query)))
      io.print(json === true ? JSON.stringify(list, null, 2) : listText(list))
      if (json !== true && list.next_cursor !== null) io.note(`There are more: --cursor '${list.next_cursor}'`)
    })
  letters.command('show <id>')
    .description('Show a dead letter, decoded as far as it can be')
    .option('--org <id>', 'whose letter it is', STANDARD_ORGANISATION)
    .action(async (id: string, { org }: { org: string }) => {
      io.print(JSON.stringify(await withLetters(io, (open) => open.show(org, parseLetterId(id))), null, 2))
    })
  withFilter(letters.command('retry [id]'))
    .description('Send one dead letter into the log again, or with --all the oldest of a filter')
    .option('--event <file>', 'JSON of the event to send instead; - reads standard input')
    .option('--all', 'all that the filter names, up to --limit')
    .option('--dry-run', 'say what would be sent, and send nothing')
    .action((id: string | undefined, options: RetryOptions) => retry(id, options, io))
}

async function retry (id: string | undefined, options: RetryOptions, io: CommandIo): Promise<void> {
  const { org, event, all, dryRun = false, ...filter } = options
  if ((id === undefined) !== (all === true)) throw new InvalidArgumentError('Name one id, or --all.')
  if (id !== undefined) {
    const correction = event === undefined ? {} : { correction: await readEvent(event) }
    const letter = parseLetterId(id)
    const answer = await withLetters(io, (open) => open.retry(org, letter, { ...correction, dryRun }))
    io.print(JSON.stringify(answer, null, 2))
    return
  }
  if (event !== undefined) throw new InvalidArgumentError('--event is for one letter.')
  const request = parseBulkRequest({ ...filter, dry_run: String(dryRun) })
  const answer = await withLetters(io, (open) => open.retryMany(org, request))
  io.print(bulkText(answer))
  if (answer.failed.length > 0) process.exitCode = EXIT_FAULT
}

function withFilter (command: Command): Command {
  return command
    .option('--org <id>', 'whose letters', STANDARD_ORGANISATION)
    .option('--stream <name>', 'of one stream')
    .option('--reason <name>', 'of one reason, such as bad_bytes')
    .option('--state <name>', 'open, retrying or retried')
    .option('--from <time>', 'of arrival: RFC 3339')
    .option('--to <time>', 'of arrival')
    .option('--limit <n>', 'at most so many', '100')
}

async function readEvent (file: string): Promise<unknown> {
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError(`${file} is not JSON.`)
  }
}

async function withLetters<T> (
  { env, nowMs }: CommandIo, work: (letters: DeadLetters) => Promise<T>
): Promise<T> {
  const settings = loadSettings(deadLetterSettings, env)
  return await opening(async (closers) => {
    const eventLog = openEventLog(eventLogConfig(settings), NO_LOG)
    closers.add(() => eventLog.close())
    const answer = await work(openDeadLetters(settings, { closers, eventLog, now: nowMs }))
    await closers.closeAll()
    return answer
  })
}

function listText ({ dead_letters: letters }: LetterList): string {
  return table(['ID', 'STATE', 'REASON', 'RECEIVED', 'BYTES', 'DETAIL'], letters.map((letter) => [
    letter.id,
    letter.state,
    letter.reason,
    letter.received_at,
    String(letter.size_bytes),
    letter.detail.length > DETAIL_LENGTH_MAX ? `${letter.detail.slice(0, DETAIL_LENGTH_MAX - 1)}…` : letter.detail
  ]))
}

function bulkText ({ matched, retried, failed, more, dry_run: dryRun }: BulkAnswer): string {
  const sent = dryRun ? matched - failed.length : retried
  const lines = [`${sent} of ${matched} ${dryRun ? 'would be' : 'were'} retried${more ? '; there are more' : ''}.`]
  return [...lines, ...failed.map(({ id, code, message }) => `${id}: ${code}: ${message}`)].join('\n')
}
