import { Type } from 'typebox'
import { envSchema } from 'env-schema'
import type { Static, TObject, TProperties } from 'typebox'

export const benchSettings = {
  BENCH_SECONDS: Type.Integer({ default: 60, minimum: 5, description: 'Length of the firehose.' }),
  BENCH_EVENTS_PER_SECOND: Type.Integer({ default: 1_000, minimum: 1, description: 'POST /user_tags a second.' }),
  BENCH_PROFILES_PER_SECOND: Type.Integer({ default: 100, minimum: 1, description: 'POST /user_profiles a second.' }),
  BENCH_AGGREGATES_PER_SECOND: Type.Integer({ default: 1, minimum: 1, description: 'POST /aggregates a second.' }),
  BENCH_PROBES_PER_SECOND: Type.Integer({ default: 2, minimum: 1, description: 'Freshness probes a second.' }),
  BENCH_ROUND_SECONDS: Type.Integer({ default: 5, minimum: 1, description: 'Length of one round at full speed.' }),
  BENCH_ROUNDS: Type.Integer({ default: 6, minimum: 1, maximum: 99, description: 'Rounds for each server.' }),
  BENCH_WARM_UP_SECONDS: Type.Integer({ default: 5, minimum: 0, description: 'Before what is counted.' }),
  BENCH_CONNECTIONS: Type.Integer({ default: 64, minimum: 1, description: 'Connections at full speed.' }),
  BENCH_SEED: Type.Integer({ default: 1, minimum: 0, description: 'Seed of the synthetic retailer.' }),
  BENCH_NAME: Type.String({ default: 'embedded', pattern: '^[a-z0-9-]{1,40}$', description: 'Short name of the result.' }),
  BENCH_RESULTS_DIR: Type.String({ default: 'loadtest/results', minLength: 1, description: 'Where the result goes.' }),
  BENCH_DATA_DIR: Type.String({
    default: 'data',
    minLength: 1,
    description: 'Where the fresh data folder is made and removed; on a real disk, or the figures mean nothing.'
  })
}

const { BENCH_SEED, BENCH_RESULTS_DIR, BENCH_DATA_DIR } = benchSettings
const common = { BENCH_SEED, BENCH_RESULTS_DIR, BENCH_DATA_DIR }

export const queriesSettings = {
  BENCH_STORED_EVENTS: Type.Integer({ default: 10_000_000, minimum: 1, description: 'Events of the day asked about.' }),
  BENCH_QUERY_ROUNDS: Type.Integer({ default: 30, minimum: 1, description: 'How often each question is asked.' }),
  ...common
}

export const readsSettings = {
  BENCH_READ_SECONDS: Type.Integer({ default: 40, minimum: 5, description: 'Length of the load.' }),
  BENCH_READS_PER_SECOND: Type.Integer({ default: 50, minimum: 1, description: 'GET /visits a second, and GET /user/{id} too.' }),
  BENCH_EVENTS_PER_SECOND: benchSettings.BENCH_EVENTS_PER_SECOND,
  BENCH_WARM_UP_SECONDS: benchSettings.BENCH_WARM_UP_SECONDS,
  BENCH_STORED_EVENTS: Type.Integer({ default: 1_000_000, minimum: 1, description: 'Visits stored before, and page views too.' }),
  ...common
}

export const batchesSettings = {
  BENCH_BATCH_CONNECTIONS: Type.Integer({ default: 4, minimum: 1, description: 'Connections that send batches.' }),
  BENCH_CONNECTIONS: benchSettings.BENCH_CONNECTIONS,
  BENCH_ROUND_SECONDS: benchSettings.BENCH_ROUND_SECONDS,
  BENCH_ROUNDS: benchSettings.BENCH_ROUNDS,
  BENCH_WARM_UP_SECONDS: benchSettings.BENCH_WARM_UP_SECONDS,
  ...common
}

export const promisesSettings = {
  BENCH_PROMISE_RECORDS: Type.Integer({ default: 50_000, minimum: 1_000, description: 'Records of each round.' }),
  BENCH_ROUNDS: Type.Integer({ default: 3, minimum: 1, maximum: 99, description: 'Rounds of each variant.' }),
  BENCH_RESULTS_DIR,
  BENCH_DATA_DIR
}

export const startSettings = {
  BENCH_LATER_STARTS: Type.Integer({ default: 3, minimum: 1, maximum: 99, description: 'Starts after the first one.' }),
  BENCH_RESULTS_DIR,
  BENCH_DATA_DIR
}

export const demoSettings = {
  DEMO_RATE: Type.Integer({ default: 1_000, minimum: 1, maximum: 100_000, description: 'Events a second.' }),
  DEMO_SECONDS: Type.Optional(Type.Integer({ minimum: 1, description: 'Stop after so long; without it, on Ctrl-C.' })),
  DEMO_SEED: Type.Integer({ default: 1, minimum: 0, description: 'Seed of the synthetic retailer.' }),
  DATA_DIR: Type.String({ default: './data', minLength: 1, description: 'Where the system stores everything.' }),
  HTTP_PORT: Type.Integer({ default: 8080, minimum: 1, maximum: 65_535, description: 'Port of the system.' }),
  PROCESSORS_PORT: Type.Integer({ default: 8081, minimum: 1, maximum: 65_535, description: 'Port of the processors.' }),
  CLICKHOUSE_PORT: Type.Integer({ default: 8123, minimum: 1, maximum: 65_535, description: 'Port of ClickHouse.' })
}

export const chaosSettings = {
  SEED: Type.Optional(Type.Integer({ minimum: 0, description: 'Seed of the schedule; a new one without it.' })),
  CHAOS_CLICKHOUSE_DISK: Type.Boolean({ default: false, description: "Fill ClickHouse's disk too." }),
  CHAOS_FAULTS: Type.Integer({ default: 42, minimum: 1, maximum: 1_000, description: 'Faults on each log.' }),
  CHAOS_EVENTS: Type.Integer({ default: 200_000, minimum: 1, description: 'Acknowledged events on each log, at least.' }),
  CHAOS_INTERVAL_MS: Type.Integer({ default: 5_000, minimum: 100, description: 'From one fault to the next, on average.' }),
  CHAOS_LOGS: Type.String({
    default: 'embedded,kafka', pattern: '^(embedded|kafka)(,(embedded|kafka))?$', description: 'Logs, one after the other.'
  }),
  CHAOS_REPORT: Type.String({ default: 'docs/chaos-report.md', description: 'Where the report goes; empty: nowhere.' }),
  CHAOS_LOG_DIR: Type.String({ default: 'data', minLength: 1, description: 'Where what the roles log is kept.' })
}

export type ChaosConfig = Readonly<Static<TObject<typeof chaosSettings>>>
export type BenchConfig = Readonly<Static<TObject<typeof benchSettings>>>
export type QueriesConfig = Readonly<Static<TObject<typeof queriesSettings>>>
export type ReadsConfig = Readonly<Static<TObject<typeof readsSettings>>>
export type BatchesConfig = Readonly<Static<TObject<typeof batchesSettings>>>
export type StartConfig = Readonly<Static<TObject<typeof startSettings>>>
export type DemoConfig = Readonly<Static<TObject<typeof demoSettings>>>

/** The validated, frozen settings. Throws where the environment does not fit them. */
export function loadConfig<P extends TProperties> (
  settings: P, env: NodeJS.ProcessEnv
): Readonly<Static<TObject<P>>> {
  return Object.freeze(envSchema({ schema: Type.Object(settings), data: env }) as Static<TObject<P>>)
}
