import { ENDPOINTS } from './k6-run.ts'
import { distributionOf } from './percentiles.ts'
import type { BenchFigures } from './bench-result.ts'

/** A figure against its bound. It is compared as measured, before any rounding. */
export interface Target {
  name: string
  unit: string
  value: number
  comparison: '<' | '=' | '>='
  bound: number
}

const LATENCY_P99_MS = { user_tags: 50, user_profiles: 150, aggregates: 1_000 } as const
/** From the 204 of an event until its profile shows it. */
const VISIBLE_P99_MS = 5_000
const RATE_SHARE = 0.95
const SPEED_RATIO_MIN = 0.6
const MEMORY_BYTES_MAX = 2e9

/** A figure that was not measured (NaN) misses its target. */
export function isMet ({ value, comparison, bound }: Target): boolean {
  switch (comparison) {
    case '<': return value < bound
    case '=': return value === bound
    case '>=': return value >= bound
  }
}

/** Everything that the bench holds the system to. */
export function targetsOf ({ firehose, fullSpeed, settings }: BenchFigures): Target[] {
  const { load, freshness, stored, acceptedInAll, resources } = firehose
  const sentMin = Math.floor(RATE_SHARE * settings.BENCH_EVENTS_PER_SECOND * settings.BENCH_SECONDS)
  const visible = distributionOf(freshness.delaysMs)
  return [
    ...ENDPOINTS.map((name): Target => ({
      name: `${name}: failed requests`, unit: '', value: load.endpoints[name].failed, comparison: '=', bound: 0
    })),
    { name: 'arrivals dropped by the client', unit: '', value: load.droppedIterations, comparison: '=', bound: 0 },
    { name: 'events accepted', unit: '', value: load.accepted, comparison: '>=', bound: sentMin },
    ...ENDPOINTS.map((name): Target => ({
      name: `${name}: p99`,
      unit: 'ms',
      value: load.endpoints[name].latencyMs.p99,
      comparison: '<',
      bound: LATENCY_P99_MS[name]
    })),
    { name: 'freshness: p99', unit: 'ms', value: visible.p99, comparison: '<', bound: VISIBLE_P99_MS },
    { name: 'freshness: probes refused', unit: '', value: freshness.sent - freshness.accepted, comparison: '=', bound: 0 },
    { name: 'freshness: probes never seen', unit: '', value: freshness.unseen, comparison: '=', bound: 0 },
    ...(['user_tags', 'user_tags_by_cookie', 'user_tags_by_minute', 'eventIds'] as const).map((table): Target => ({
      name: table === 'eventIds' ? 'different events stored, of all answered 204' : `events in ${table}, of all answered 204`,
      unit: '',
      value: stored[table],
      comparison: '=',
      bound: acceptedInAll
    })),
    { name: 'memory of all processes, peak PSS', unit: 'MB', value: resources.pss.peakBytes / 1e6, comparison: '<', bound: MEMORY_BYTES_MAX / 1e6 },
    { name: 'highest ingest rate ÷ Fastify that only validates', unit: '', value: fullSpeed.ingest.ratio, comparison: '>=', bound: SPEED_RATIO_MIN }
  ]
}
