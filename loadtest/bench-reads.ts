/**
 * `GET /visits` and `GET /user/{id}` at their rates while events come in: latencies against their targets.
 * Ends with 1 where one is missed.
 */
import { ClickHouseSql } from './clickhouse-sql.ts'
import { LoopbackClient } from './loopback-client.ts'
import { loadConfig, readsSettings } from './config.ts'
import { requireK6, runFirehose } from './k6-run.ts'
import { runMeasurement } from './measurement.ts'
import { sendPaced } from './paced-requests.ts'
import { startSystem } from './system.ts'
import { table, up } from './markdown.ts'
import { watchResources } from './resource-usage.ts'
import type { FirehoseFigures } from './k6-run.ts'
import type { Measured } from './measurement.ts'
import type { PacedFigures } from './paced-requests.ts'
import type { ReadsConfig } from './config.ts'
import type { ResourceUsage } from './resource-usage.ts'
import type { System, Workspace } from './system.ts'

const P99_MS_MAX = 200
const CONNECTIONS_MAX = 200
const MEMORY_SAMPLE_MS = 1_000
const DAY_MS = 86_400_000
const USERS = 20_000
const PAGES = 20
const ROWS_PER_INSERT = 100_000
/** The tenant of the demo's key, and of whoever sends no key. */
const TENANTS = { visits: 'demo', page_views: 'default' } as const
/** What a dashboard asks for in turn: mostly the default, visits of the last 30 days by day. */
const VISITS_QUERIES = ['', '', '', '', '?aggregation=hour']

await runMeasurement({ name: 'reads', title: 'Reads', settings: loadConfig(readsSettings, process.env), measure })

async function measure (settings: ReadsConfig, workspace: Workspace, signal: AbortSignal): Promise<Measured> {
  requireK6()
  const system = await startSystem(workspace, 'reads', signal)
  try {
    await store(system, settings.BENCH_STORED_EVENTS, signal)
    const client = new LoopbackClient({ baseUrl: system.url, connectionsMax: CONNECTIONS_MAX })
    const loadEnded = new AbortController()
    try {
      const key = await demoKey(client)
      const seconds = settings.BENCH_READ_SECONDS
      const warmUpSeconds = settings.BENCH_WARM_UP_SECONDS
      console.error(`bench-reads: load for ${warmUpSeconds} and ${seconds} s`)
      const perSecond = settings.BENCH_READS_PER_SECOND
      const read = async (forSeconds: number) => {
        const paced = { perSecond, seconds: forSeconds, underWayMax: CONNECTIONS_MAX / 2, signal }
        return Promise.all([
          sendPaced({
            ...paced,
            send: (index) => client.get(`/visits${VISITS_QUERIES[index % VISITS_QUERIES.length]}`, { 'x-api-key': key })
          }),
          sendPaced({ ...paced, send: (index) => client.get(`/user/u${index * 7919 % USERS}`) })
        ])
      }
      const [load, [visits, users], resources] = await Promise.all([
        runFirehose({
          baseUrl: system.url,
          seconds: warmUpSeconds + seconds,
          perSecond: { user_tags: settings.BENCH_EVENTS_PER_SECOND, user_profiles: 0, aggregates: 0 },
          seed: settings.BENCH_SEED,
          directory: workspace.directory,
          signal
        }).finally(() => loadEnded.abort()),
        read(warmUpSeconds).then(() => read(seconds)),
        watchResources(system.pid, { everyMs: MEMORY_SAMPLE_MS, signal: loadEnded.signal })
      ])
      return report(settings, { load, visits, users, resources })
    } finally {
      client.close()
    }
  } finally {
    await system.stop()
  }
}

/** Page views of ten days and visits of 35, made by ClickHouse itself, in the order they would come in. */
async function store (system: System, events: number, signal: AbortSignal): Promise<void> {
  console.error(`bench-reads: storing ${events} visits and as many page views`)
  const sql = new ClickHouseSql(system.clickHouseUrl)
  const before = (days: number, first: number) => {
    const left = `(${events} - ${first} - number)`
    return `now64(3, 'UTC') - toIntervalMillisecond(intDiv(${left} * ${days * DAY_MS}, ${events}))`
  }
  const rest = (first: number, tenant: string) => {
    return `toString(${first} + number), 'SERVER', '${tenant}', now64(3, 'UTC'), 0, ${first} + number`
  }
  const columns = 'event_id, event_id_origin, tenant, received_at, _partition, _offset'
  try {
    for (let first = 0; first < events; first += ROWS_PER_INSERT) {
      signal.throwIfAborted()
      const from = `FROM numbers(${Math.min(ROWS_PER_INSERT, events - first)})`
      await sql.run('writes', `INSERT INTO visits (visitedAt, identifier, pageUrl, ${columns})
        SELECT ${before(35, first)}, concat('v', toString(rand(2) % 50000)),
          concat('https://shop.example/page', toString(rand(3) % ${PAGES})), ${rest(first, TENANTS.visits)} ${from}`)
      await sql.run('writes', `INSERT INTO page_views (timestamp, user_id, name, ${columns})
        SELECT ${before(10, first)}, concat('u', toString(rand(2) % ${USERS})),
          concat('/page', toString(rand(3) % 100)), ${rest(first, TENANTS.page_views)} ${from}`)
    }
  } finally {
    sql.close()
  }
}

/** The key that the demo pages hold: visits always need one. */
async function demoKey (client: LoopbackClient): Promise<string> {
  const { body } = await client.get('/demo/')
  const key = /data-api-key="([^"]+)"/.exec(body)?.[1]
  if (key === undefined) throw new Error('The demo pages hold no key')
  return key
}

interface Figures {
  load: FirehoseFigures
  visits: PacedFigures
  users: PacedFigures
  resources: ResourceUsage
}

function report (settings: ReadsConfig, figures: Figures): Measured {
  const { load, visits, users, resources } = figures
  const routes = [['GET /visits', visits], ['GET /user/{id}', users]] as const
  const events = load.endpoints.user_tags
  const loadSeconds = settings.BENCH_WARM_UP_SECONDS + settings.BENCH_READ_SECONDS
  return {
    targets: [
      ...routes.flatMap(([name, { failed, latencyMs }]): Measured['targets'] => [
        { name: `${name}: failed requests`, unit: '', value: failed, comparison: '=', bound: 0 },
        { name: `${name}: p99`, unit: 'ms', value: latencyMs.p99, comparison: '<', bound: P99_MS_MAX }
      ]),
      { name: 'POST /user_tags: failed requests', unit: '', value: events.failed, comparison: '=', bound: 0 },
      {
        name: 'events accepted',
        unit: '',
        value: load.accepted,
        comparison: '>=',
        bound: Math.floor(0.95 * settings.BENCH_EVENTS_PER_SECOND * loadSeconds)
      }
    ],
    sections: [
      `## ${up(load.seconds, 1)} s`,
      table(['Route', 'Requests', 'Failed', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'], [
        ...routes.map(([name, { requests, failed, latencyMs: { p50, p95, p99, max } }]) => {
          return [name, String(requests), String(failed), ...[p50, p95, p99, max].map((ms) => up(ms, 1))]
        }),
        ['POST /user_tags', String(events.requests), String(events.failed),
          ...(['p50', 'p95', 'p99', 'max'] as const).map((figure) => up(events.latencyMs[figure], 1))]
      ]),
      table(['Role', 'CPU, % of one core'], Object.entries(resources.roles).map(([role, { cpuSeconds }]) => {
        return [role, up(cpuSeconds / resources.seconds * 100, 1)]
      }))
    ],
    conditions: [
      'Everything ran on one machine, the load generators too. The system ran with its default settings on a fresh folder.',
      `Stored before: ${settings.BENCH_STORED_EVENTS} visits of 35 days on ${PAGES} pages, and as many page views of 10 days by ` +
        `${USERS} users.`,
      'Of five requests for visits four ask for the default (the last 30 days by day) and one for the last 7 days by hour; ' +
        'each request for a user is about another one. Both are sent at a constant rate, by one Node process, whether or not ' +
        'earlier ones were answered; a latency is from sending to the end of the answer.',
      `The first ${settings.BENCH_WARM_UP_SECONDS} s of reads, while both processes compile their code, are not counted. Events are ` +
        'sent by k6, and are counted all the time.'
    ],
    figures
  }
}
