import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'
import type { SharedReadLimits } from './read-sharing.ts'

/** Settings of the query API, keyed by environment variable. */
export const queryApiSettings = {
  PROFILE_BATCH_SIZE_MAX: Type.Integer({
    default: 64,
    minimum: 1,
    maximum: 1000,
    description: 'Requests for profiles, or users, that share one query; the more, the cheaper each, the later the first.'
  }),
  PROFILE_BATCH_BYTES_MAX: Type.Integer({
    default: 65_536,
    minimum: 1,
    description: 'Bytes of the values of one shared query; a quarter of what ClickHouse reads as one statement.'
  }),
  PROFILE_QUERIES_MAX: Type.Integer({
    default: 2,
    minimum: 1,
    maximum: 64,
    description: 'Queries of profiles, and of users, in flight at once: no request waits behind one slow query.'
  }),
  PROFILE_QUERY_INTERVAL_MS: Type.Integer({
    default: 35,
    minimum: 0,
    maximum: 1000,
    description: 'Milliseconds between the starts of two queries of profiles: what arrives meanwhile shares one.'
  }),
  STATISTICS_QUERY_INTERVAL_MS: Type.Integer({
    default: 70,
    minimum: 0,
    maximum: 1000,
    description: 'The same of users, and of visits.'
  }),
  AGGREGATES_QUERIES_MAX: Type.Integer({
    default: 2,
    minimum: 1,
    maximum: 64,
    description: 'Queries of aggregates, and of each kind of report, in flight at once.'
  }),
  QUERY_QUEUE_MAX: Type.Integer({
    default: 1000,
    minimum: 1,
    description: 'Requests of one kind that may wait for a query; one more is answered 503.'
  }),
  QUERY_TIMEOUT_MS: Type.Integer({
    default: 5000,
    minimum: 1,
    description: 'Longest time for one request, waiting included; beyond it the answer is 503.'
  })
}

export interface QueryApiConfig {
  profiles: SharedReadLimits
  /** Of the statistics of users, and of visits. */
  statistics: SharedReadLimits
  /** Of questions that go one by one: aggregates, and each kind of report. */
  aggregates: SharedReadLimits
}

/** The query API's slice of a validated environment. */
export function queryApiConfig (env: Static<TObject<typeof queryApiSettings>>): QueryApiConfig {
  const common = { queueMax: env.QUERY_QUEUE_MAX, timeoutMs: env.QUERY_TIMEOUT_MS }
  const batchBytesMax = env.PROFILE_BATCH_BYTES_MAX
  const shared = {
    ...common, batchSizeMax: env.PROFILE_BATCH_SIZE_MAX, batchBytesMax, inFlightMax: env.PROFILE_QUERIES_MAX
  }
  return {
    profiles: { ...shared, startIntervalMs: env.PROFILE_QUERY_INTERVAL_MS },
    statistics: { ...shared, startIntervalMs: env.STATISTICS_QUERY_INTERVAL_MS },
    aggregates: {
      ...common, batchSizeMax: 1, batchBytesMax, inFlightMax: env.AGGREGATES_QUERIES_MAX, startIntervalMs: 0
    }
  }
}
