import { aggregatesReader, profileReader } from './readers.ts'
import { batchSizeHistogram, observeQueries, observeQueues } from './metrics.ts'
import { registerAggregates } from './routes/aggregates.ts'
import { registerUserProfiles } from './routes/user-profiles.ts'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'
import type { QueryApiConfig } from './config.ts'
import type { QueryClient } from './query-client.ts'

/** The body of a query is ignored, whatever it is; it is still read to its end. */
const IGNORED_BODY_BYTES_MAX = 1024 * 1024

export interface QueryApiOptions {
  client: QueryClient
  config: QueryApiConfig
  registry: Registry
}

/**
 * The query API's routes, for a server of `createServer`. The plugin owns its queues and ends them when the
 * server closes; `client` stays its caller's.
 */
export const queryApiRoutes: FastifyPluginAsync<QueryApiOptions> = async (server, options) => {
  const { config, registry } = options
  ignoreBodies(server)
  const client = observeQueries(options.client, registry)
  const batchSize = batchSizeHistogram(registry)
  const profiles = profileReader({
    client, limits: config.profiles, onBatch: (size) => batchSize.labels('profiles').observe(size)
  })
  const aggregates = aggregatesReader({
    client, limits: config.aggregates, onBatch: (size) => batchSize.labels('aggregates').observe(size)
  })
  observeQueues({
    profiles: () => profiles.waitingCount, aggregates: () => aggregates.waitingCount
  }, registry)
  registerUserProfiles(server, { profiles })
  registerAggregates(server, { aggregates })
  server.addHook('onClose', async () => {
    profiles.close()
    aggregates.close()
  })
}

/** Accepts a body of any type, or none, and drops it. */
function ignoreBodies (server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  // A malformed content type would be refused before any parser is asked.
  server.addHook('onRequest', async (request) => { delete request.headers['content-type'] })
  const options = { parseAs: 'buffer', bodyLimit: IGNORED_BODY_BYTES_MAX } as const
  server.addContentTypeParser('*', options, (_request, _body, done) => done(null))
}
