/** One run on one log: deploy, load, faults, settle, count. */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { eventLogConfig, eventLogSettings, openEventLog } from '../../eventlog/index.ts'
import { SeededRandom } from '../../tests/support/seeded-random.ts'
import { loadConfig } from '../config.ts'
import { readBooks, unaccounted } from './books.ts'
import { ClickHouseSql } from './clickhouse-sql.ts'
import { agreementCheck, check, positionsCheck, readMinuteSums, readTags, readViews } from './count.ts'
import { deploy } from './deployment.ts'
import { injectFaults } from './inject-faults.ts'
import { Load } from './load.ts'
import { numberOf } from './numbered-events.ts'
import { Reader } from './reader.ts'
import { scheduleFaults } from './schedule.ts'
import { canMountDisks } from './small-disk.ts'
import { findFaketime } from './wall-clock.ts'
import type { Books } from './books.ts'
import type { Check, StreamRows } from './count.ts'
import type { Deployment } from './deployment.ts'
import type { InjectedFault } from './inject-faults.ts'
import type { LoadCounts } from './load.ts'
import type { EventLog } from '../../eventlog/index.ts'
import type { LogKind, Means } from './fault-kinds.ts'
import type { SentEvents } from './sent-events.ts'

/** After the last fault: until everything that was acknowledged is stored. */
const SETTLE_MS_MAX = 180_000
const SETTLE_INTERVAL_MS = 1_000
/** Without faults, until there are as many events as were asked for. */
const CATCH_UP_MS_MAX = 300_000
const STREAMS = ['user_tags', 'page_views'] as const

export interface ChaosOptions {
  log: LogKind
  seed: number
  faults: number
  /** Events that are acknowledged, at least. */
  events: number
  /** From one fault to the next, on average. */
  intervalMs: number
  /** Where the roles' log goes; it is kept. */
  logFile: string
  signal: AbortSignal
  say: (line: string) => void
}

export interface ChaosResult {
  log: LogKind
  seed: number
  means: Means
  seconds: number
  faults: InjectedFault[]
  /** Roles that ended although no fault ended them. */
  unexpectedEnds: string[]
  load: LoadCounts
  events: EventCounts[]
  books: Array<Books & { stream: string }>
  reads: { answered: number, failed: number }
  checks: Check[]
}

/** Events, however often each was sent or is stored. */
export interface EventCounts {
  stream: string
  sent: number
  acknowledged: number
  stored: number
  storedUnacknowledged: number
}

/** What this machine can do. */
export async function findMeans (log: LogKind): Promise<Means> {
  return { log, disks: await canMountDisks(), clocks: findFaketime() !== undefined }
}

export function mismatchesOf ({ checks }: ChaosResult): number {
  return checks.reduce((sum, { mismatches }) => sum + mismatches, 0)
}

/** Rejects where the deployment does not start, does not settle enough to be counted, or is interrupted. */
export async function runChaos (options: ChaosOptions): Promise<ChaosResult> {
  const means = await findMeans(options.log)
  const directory = await mkdtemp(join(tmpdir(), 'millrace-chaos-'))
  const logFile = await open(options.logFile, 'w')
  const unexpectedEnds: string[] = []
  try {
    const deployment = await deploy({
      directory,
      means,
      faketime: findFaketime(),
      output: logFile.fd,
      onUnexpectedEnd: (role, code) => {
        unexpectedEnds.push(`${role} (${code})`)
        options.say(`${role} ended by itself: ${code}`)
      }
    })
    try {
      return { ...await runOn(deployment, means, options), unexpectedEnds }
    } finally {
      await deployment.close()
    }
  } finally {
    await logFile.close()
    await rm(directory, { recursive: true, force: true })
  }
}

async function runOn (
  deployment: Deployment, means: Means, options: ChaosOptions
): Promise<Omit<ChaosResult, 'unexpectedEnds'>> {
  const { log, seed, faults, events, intervalMs, signal, say } = options
  const schedule = scheduleFaults({ random: new SeededRandom(seed), means, faults, intervalMs })
  const beganMs = performance.now()
  const perSecond = Math.ceil(events / (faults + 1) / intervalMs * 1_000)
  const load = new Load({ url: deployment.ingestUrl, random: new SeededRandom(seed + 1), perSecond })
  const reader = new Reader({ url: deployment.queryUrl, random: new SeededRandom(seed + 2) })
  let injected: InjectedFault[]
  try {
    injected = await injectFaults({
      deployment, schedule, signal, onFault: (fault) => say(describeFault(fault))
    })
    await acknowledges(load, events, signal)
  } finally {
    await Promise.all([load.stop(), reader.stop()])
  }
  await Promise.all([...deployment.roles.values()].map((role) => role.ready()))
  say(`${load.acknowledged} events acknowledged; waiting until they are stored`)
  try {
    const counted = await count(deployment, load, reader)
    const seconds = (performance.now() - beganMs) / 1_000
    return {
      log,
      seed,
      means,
      seconds,
      faults: injected,
      load: load.counts,
      ...counted,
      reads: { answered: reader.answered, failed: reader.failed }
    }
  } finally {
    reader.close()
  }
}

function describeFault ({ number, begunMs, name, target, variant, note }: InjectedFault): string {
  const what = [name, target, variant].filter((text) => text !== '').join(', ')
  return `#${number} at ${(begunMs / 1_000).toFixed(1)} s: ${what}: ${note}`
}

async function acknowledges (load: Load, events: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + CATCH_UP_MS_MAX
  while (load.acknowledged < events) {
    if (performance.now() > end) throw new Error(`Only ${load.acknowledged} of ${events} events were acknowledged`)
    await delay(SETTLE_INTERVAL_MS, undefined, { signal })
  }
}

/** Counts when everything has settled; what never settles shows as mismatches. */
async function count (
  deployment: Deployment, load: Load, reader: Reader
): Promise<Pick<ChaosResult, 'events' | 'books' | 'checks'>> {
  const sql = new ClickHouseSql(deployment.clickHousePort)
  const log = openEventLog(eventLogConfig(loadConfig(eventLogSettings, deployment.env)), SILENT)
  try {
    await settle(sql, log, load)
    const tables = await countTables(sql, load)
    const books = await Promise.all(STREAMS.map(async (stream) => {
      return { stream, ...await readBooks(sql, stream, await log.offsets(stream)) }
    }))
    const answered = await reader.countOfTags()
    const stored = tables.tags.times.size
    return {
      events: [
        countsOf('user_tags', load.tags, tables.tags), countsOf('page_views', load.views, tables.views)
      ],
      books,
      checks: [
        ...tables.checks,
        ...books.flatMap(({ checks }) => checks),
        check('query-api: no profile showed an event twice', reader.wrong),
        check('query-api: counts what is stored', answered === stored ? [] : [`${answered} instead of ${stored}`])
      ]
    }
  } finally {
    sql.close()
    await log.close()
  }
}

/** Waits until all that was acknowledged is stored, and the ledger has all of the log; not for ever. */
async function settle (sql: ClickHouseSql, log: EventLog, load: Load): Promise<void> {
  const end = performance.now() + SETTLE_MS_MAX
  const acknowledged = { user_tags: load.tags.acknowledged, page_views: load.views.acknowledged }
  const isSettled = async (stream: typeof STREAMS[number]): Promise<boolean> => {
    if (await unaccounted(sql, stream, await log.offsets(stream)) !== 0) return false
    const stored = new Set((await sql.rows<[string]>(`SELECT event_id FROM ${stream}`)).map(([id]) => numberOf(id)))
    // An event may still be on its way to the log: ingest keeps it while the brokers are away.
    return [...acknowledged[stream]].every((n) => stored.has(n))
  }
  while (performance.now() < end) {
    const settled = await Promise.all(STREAMS.map(isSettled)).catch(() => [false])
    if (settled.every(Boolean)) return
    await delay(SETTLE_INTERVAL_MS)
  }
}

async function countTables (sql: ClickHouseSql, { tags: sentTags, views: sentViews }: Load) {
  const tags = await readTags(sql, 'user_tags', sentTags)
  const byCookie = await readTags(sql, 'user_tags_by_cookie', sentTags)
  const byMinute = await readMinuteSums(sql, sentTags)
  const views = await readViews(sql, 'page_views', sentViews)
  const byUser = await readViews(sql, 'page_views_by_user', sentViews)
  const copies = ['user_tags', 'user_tags_by_cookie', 'page_views', 'page_views_by_user']
  const checks = [
    ...[tags, byCookie, byMinute, views, byUser].flatMap((table) => table.checks),
    ...await Promise.all(copies.map((table) => positionsCheck(sql, table))),
    agreementCheck('user_tags and user_tags_by_cookie hold the same events', tags, byCookie),
    agreementCheck('user_tags and user_tags_by_minute hold the same events', tags, byMinute),
    agreementCheck('page_views and page_views_by_user hold the same events', views, byUser)
  ]
  return { tags, views, checks }
}

function countsOf (
  stream: string, { sent, acknowledged }: SentEvents, { times }: StreamRows
): EventCounts {
  return {
    stream,
    sent: sent.size,
    acknowledged: acknowledged.size,
    stored: times.size,
    storedUnacknowledged: [...times.keys()].filter((n) => !acknowledged.has(n)).length
  }
}

const SILENT = { debug: () => {}, warn: () => {} }
