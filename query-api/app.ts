import {
  aggregatesReader, analyticsReader, profileReader, reportReader, userStatisticsReader, visitsReader
} from './readers.ts'
import { batchSizeHistogram, observeQueries, observeQueues } from './metrics.ts'
import { registerAggregates } from './routes/aggregates.ts'
import { registerAnalytics } from './routes/analytics.ts'
import { registerAppReports } from './routes/app-reports.ts'
import { registerUserProfiles } from './routes/user-profiles.ts'
import { registerUserStatistics } from './routes/user-statistics.ts'
import { registerVisits } from './routes/visits.ts'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'
import type { QueryApiConfig } from './config.ts'
import type { QueryClient } from './query-client.ts'
import type { ReaderOptions } from './readers.ts'
import type { SharedReadLimits } from './read-sharing.ts'

/** The body of a query is ignored, whatever it is; it is still read to its end. */
const IGNORED_BODY_BYTES_MAX = 1024 * 1024

export interface QueryApiOptions {
  client: QueryClient
  config: QueryApiConfig
  registry: Registry
  /** Epoch milliseconds, for windows that end now. */
  now?: () => number
}

/**
 * The query API's routes, for a server of `createServer`. The plugin owns its queues and ends them when the
 * server closes; `client` stays its caller's.
 */
export const queryApiRoutes: FastifyPluginAsync<QueryApiOptions> = async (server, options) => {
  const { registry, now = Date.now } = options
  ignoreBodies(server)
  const readers = openReaders(options)
  observeQueues({
    profiles: () => readers.profiles.waitingCount,
    aggregates: () => readers.aggregates.waitingCount,
    user_statistics: () => readers.userStatistics.waitingCount,
    reports: () => readers.reports.waitingCount,
    analytics: () => readers.analytics.waitingCount,
    visits: () => readers.visits.waitingCount
  }, registry)
  registerUserProfiles(server, readers)
  registerAggregates(server, readers)
  registerUserStatistics(server, { ...readers, now })
  registerAppReports(server, { ...readers, now })
  registerAnalytics(server, readers)
  registerVisits(server, { ...readers, now })
  server.addHook('onClose', async () => {
    for (const reader of Object.values(readers)) reader.close()
  })
}

/** One queue for each kind of question, so that a slow one holds up no other. */
function openReaders ({ client: unobserved, config, registry, now = Date.now }: QueryApiOptions) {
  const client = observeQueries(unobserved, registry)
  const batchSize = batchSizeHistogram(registry)
  const options = (label: string, limits: SharedReadLimits): ReaderOptions => {
    return { client, limits, onBatch: (size) => batchSize.labels(label).observe(size) }
  }
  const { profiles, statistics, aggregates: singles } = config
  return {
    profiles: profileReader(options('profiles', profiles)),
    aggregates: aggregatesReader(options('aggregates', singles)),
    userStatistics: userStatisticsReader({ ...options('user_statistics', statistics), now }),
    reports: reportReader(options('reports', singles)),
    analytics: analyticsReader(options('analytics', singles)),
    visits: visitsReader({ ...options('visits', statistics), now })
  }
}

/** Accepts a body of any type, or none, and drops it. */
function ignoreBodies (server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  // A malformed content type would be refused before any parser is asked.
  server.addHook('onRequest', async (request) => { delete request.headers['content-type'] })
  const options = { parseAs: 'buffer', bodyLimit: IGNORED_BODY_BYTES_MAX } as const
  server.addContentTypeParser('*', options, (_request, _body, done) => done(null))
}
