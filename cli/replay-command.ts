/** `millrace replay`: rebuilds a table from the log, or reads a part of the log into a table of its own. */
import { SingleBar } from 'cli-progress'
import pino from 'pino'
import { clickHouseConfig, clickHouseSettings, createWriteClient } from '../clickhouse/index.ts'
import { connectSchemaRegistry, parseTime, streams } from '../contract/index.ts'
import { eventLogConfig, eventLogSettings, openEventLog } from '../eventlog/index.ts'
import {
  createClickHouseSink, createClickHouseStoredIds, processorConfig, processorSettings
} from '../processors/index.ts'
import { ALL_ARRIVALS, ReplayError, ReplayStore, rebuild, replayInto } from '../replay/index.ts'
import { erasureSettings, recordErasures } from '../erasure/index.ts'
import { openSubjectHasher, openTombstones } from './erasure-part.ts'
import { opening } from './role.ts'
import { SettingsError, describeSettings, loadSettings } from './settings.ts'
import type { Command } from 'commander'
import type { Stream } from '../contract/index.ts'
import type { Arrivals, IntoReport, ReplayReport, ReplaySources } from '../replay/index.ts'
import type { CommandIo } from './access-commands.ts'
import type { Closers } from './role.ts'

const SETTINGS = { ...eventLogSettings, ...clickHouseSettings, ...processorSettings, ...erasureSettings }
/** Between two lines where nobody looks at a terminal. */
const PROGRESS_LINE_MS = 5_000

interface ReplayOptions {
  rebuild?: string
  into?: string
  from?: string
  to?: string
}

/** Adds the command. Its action throws ReplayError and SettingsError. */
export function addReplayCommand (program: Command, io: CommandIo): void {
  program.command('replay <stream>')
    .description('Rebuild a table from the log while everything goes on; the same call again resumes it')
    .option('--rebuild <table>', 'a table that a view fills: it is rebuilt beside the live one, compared, and swapped')
    .option('--into <table>', 'a new table, shaped like the raw one')
    .option('--from <time>', 'with --into: first arrival, RFC 3339')
    .option('--to <time>', 'with --into: arrivals before it')
    .addHelpText('after', `\nEnvironment variables [default]:\n${describeSettings(SETTINGS)}`)
    .action(async (name: string, options: ReplayOptions) => {
      io.print(describeReport(await replay(streamOf(name), checkedOptions(options), io)))
    })
}

/** What a replay has done, in one line; of a table of its own, what the raw table has beside it. */
export function describeReport (report: ReplayReport | IntoReport): string {
  const { table, events, fromMs, resumed } = report
  const reach = fromMs === 0 ? '' : `, arrivals since ${new Date(fromMs).toISOString()}`
  const done = `${table}: ${events} events${reach}${resumed ? ', resumed' : ''}.`
  if (!('raw' in report)) return done
  const { raw } = report
  return raw.events === events
    ? `${done} ${raw.name} has as many of the same records.`
    : `${done} ${raw.name} has ${raw.events} of the same records.`
}

type Task = { live: string } | { into: string, arrivals: Arrivals }

function checkedOptions ({ rebuild: live, into, from, to }: ReplayOptions): Task {
  if (live !== undefined && into === undefined && from === undefined && to === undefined) return { live }
  if (into !== undefined && live === undefined) {
    const { fromMs, toMs } = ALL_ARRIVALS
    return { into, arrivals: { fromMs: readTime(from, fromMs), toMs: readTime(to, toMs) } }
  }
  throw new SettingsError(['Name either --rebuild <table>, or --into <table> with --from and --to if you like'])
}

function readTime (text: string | undefined, fallback: number): number {
  const ms = text === undefined ? fallback : parseTime(text)
  if (ms === undefined) throw new SettingsError([`${text} is no time such as 2026-01-31T00:00:00Z`])
  return ms
}

function streamOf (name: string): Stream {
  const stream = streams.find((one) => one.name === name)
  if (stream !== undefined) return stream
  throw new SettingsError([`There is no stream ${name}, only ${streams.map((one) => one.name).join(', ')}`])
}

async function replay (
  stream: Stream, task: Task, { env, nowMs }: CommandIo
): Promise<ReplayReport | IntoReport> {
  const settings = loadSettings(SETTINGS, env)
  const { database, cluster } = clickHouseConfig(settings)
  if (cluster !== undefined && 'live' in task) {
    throw new ReplayError('cluster_unsupported', 'On a replicated cluster use --into: a swap of replicated tables is not offered')
  }
  return await opening(async (closers) => {
    const { sources, store } = open(settings, closers)
    const interrupted = new AbortController()
    process.once('SIGINT', () => interrupted.abort(new Error('interrupted: the same command resumes it')))
    const bar = progressBar()
    const common = { ...sources, stream, database, store, onProgress: bar.show, signal: interrupted.signal }
    try {
      return 'live' in task
        ? await rebuild({ ...common, live: task.live, now: nowMs })
        : await replayInto({ ...common, ...task })
    } finally {
      bar.stop()
      await closers.closeAll()
    }
  })
}

function open (
  settings: ReturnType<typeof loadSettings<typeof SETTINGS>>, closers: Closers
): { sources: ReplaySources, store: ReplayStore } {
  const log = pino({ level: 'warn' }, pino.destination(process.stderr.fd))
  const config = eventLogConfig(settings)
  const eventLog = openEventLog(config, log)
  closers.add(() => eventLog.close())
  const clickHouse = clickHouseConfig(settings)
  const client = createWriteClient(clickHouse)
  closers.add(() => client.close())
  const processors = processorConfig(settings)
  const { schemaRegistryUrl } = config
  const hasher = openSubjectHasher(settings)
  return {
    store: new ReplayStore({ client, database: clickHouse.database, cluster: clickHouse.cluster }),
    sources: {
      eventLog,
      ...(schemaRegistryUrl === undefined ? {} : { registry: connectSchemaRegistry(schemaRegistryUrl) }),
      sink: createClickHouseSink(client, processors.insertsMax),
      erasures: recordErasures(openTombstones(client, hasher), hasher),
      storedIdsOf: ({ tables, subject }) => createClickHouseStoredIds({ client, table: tables.raw, subject }),
      config: processors,
      log
    }
  }
}

/** Shows offsets that have been read of all; lines of text where the stream is no terminal. */
export function progressBar (
  stream: NodeJS.WritableStream = process.stderr
): { show: (done: number, total: number) => void, stop: () => void } {
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {value} of {total} offsets | {duration_formatted}',
    stream,
    noTTYOutput: true,
    notTTYSchedule: PROGRESS_LINE_MS
  })
  let started = false
  return {
    show: (done, total) => {
      if (!started) bar.start(total, done)
      started = true
      bar.setTotal(total)
      bar.update(done)
    },
    stop: () => { if (started) bar.stop() }
  }
}
