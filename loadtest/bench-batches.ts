/**
 * The highest rate of events in batches, `POST /events/user_tags`, against that of single events, on the role
 * ingest with the embedded log. Ends with 1 where a target is missed.
 */
import { BATCH_EVENTS, runFullSpeed } from './full-speed.ts'
import { batchesSettings, loadConfig } from './config.ts'
import { down, table, up } from './markdown.ts'
import { median } from './percentiles.ts'
import { runMeasurement } from './measurement.ts'
import { startIngest } from './system.ts'
import { watchResources } from './resource-usage.ts'
import type { BatchesConfig } from './config.ts'
import type { FullSpeedRound } from './full-speed.ts'
import type { Measured } from './measurement.ts'
import type { ResourceUsage } from './resource-usage.ts'
import type { Workspace } from './system.ts'

const EVENTS_PER_SECOND_MIN = 60_000
const BODIES_PER_CONNECTION = { batch: 4, single: 100 } as const
const SAMPLE_MS = 500

type Kind = keyof typeof BODIES_PER_CONNECTION
const KINDS = ['batch', 'single'] as const

interface Round extends FullSpeedRound {
  /** CPU of the role, as a share of one core. */
  cpuShare: number
}

await runMeasurement({
  name: 'batches', title: 'Batches', settings: loadConfig(batchesSettings, process.env), measure
})

async function measure (
  settings: BatchesConfig, workspace: Workspace, signal: AbortSignal
): Promise<Measured> {
  const ingest = await startIngest(workspace, 'batches', signal)
  const run = async (kind: Kind, seconds: number, seed: number): Promise<Round> => {
    const ended = new AbortController()
    const [round, resources] = await Promise.all([
      runFullSpeed({
        url: ingest.url,
        connections: kind === 'batch' ? settings.BENCH_BATCH_CONNECTIONS : settings.BENCH_CONNECTIONS,
        seconds,
        bodiesPerConnection: BODIES_PER_CONNECTION[kind],
        eventsPerRequest: kind === 'batch' ? BATCH_EVENTS : 1,
        seed
      }, signal).finally(() => ended.abort()),
      watchResources(ingest.pid, { everyMs: SAMPLE_MS, signal: ended.signal })
    ])
    return { ...round, cpuShare: cpuShareOf(resources) }
  }
  try {
    const rounds: Record<Kind, Round[]> = { batch: [], single: [] }
    for (const kind of KINDS) await run(kind, settings.BENCH_WARM_UP_SECONDS, settings.BENCH_SEED)
    for (let index = 0; index < settings.BENCH_ROUNDS; index += 1) {
      for (const kind of KINDS) {
        rounds[kind].push(await run(kind, settings.BENCH_ROUND_SECONDS, settings.BENCH_SEED + index))
      }
    }
    return report(rounds)
  } finally {
    await ingest.stop()
  }
}

function cpuShareOf ({ roles, seconds }: ResourceUsage): number {
  return Object.values(roles).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / seconds
}

function report (rounds: Record<Kind, readonly Round[]>): Measured {
  const rate = (kind: Kind) => median(rounds[kind].map(({ perSecond }) => perSecond))
  const lost = (kind: Kind) => rounds[kind].reduce((sum, { refused, errors }) => sum + refused + errors, 0)
  const rows = (kind: Kind, name: string) => rounds[kind].map((round, index) => {
    const { perSecond, refused, errors, latencyMs: { p50, p99, max }, cpuShare } = round
    return [
      name, String(index + 1), down(perSecond, 0), String(refused + errors), ...[p50, p99, max].map(String),
      up(cpuShare * 100, 0)
    ]
  })
  return {
    targets: [
      {
        name: 'events a second in batches, median',
        unit: '',
        value: rate('batch'),
        comparison: '>=',
        bound: EVENTS_PER_SECOND_MIN
      },
      { name: 'batches not answered 200', unit: '', value: lost('batch'), comparison: '=', bound: 0 }
    ],
    sections: [
      '## Rounds',
      table(['Requests', 'Round', 'Events/s', 'Not accepted', 'p50 ms', 'p99 ms', 'max ms', 'CPU, % of one core'], [
        ...rows('batch', `batches of ${BATCH_EVENTS}`), ...rows('single', 'single events')
      ]),
      `Medians: batches ${down(rate('batch'), 0)}/s, single events ${down(rate('single'), 0)}/s, ratio ` +
        `${down(rate('batch') / rate('single'), 2)}.`
    ],
    conditions: [
      'Everything ran on one machine, the client (autocannon, in a process of its own) too. Role ingest, embedded log, default ' +
        'settings, a fresh folder.',
      'One request at a time on each connection; every answer 200 of a batch is for all of its events, since all are valid. ' +
        'Rounds alternate; the first of each kind (warm-up) is not counted.'
    ],
    figures: { rounds }
  }
}
