import { userTags } from '../contract/index.ts'
import { createUuidSource } from '../http/index.ts'
import { registerEventRoute } from './routes/event.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { RecordEncoder, Stream } from '../contract/index.ts'
import type { EventRouteContext } from './routes/event.ts'

type Injected = Pick<EventRouteContext, 'appender' | 'metrics'> & Partial<EventRouteContext>

export interface IngestOptions extends Injected {
  /** The encoder of a stream's records; asked once for each stream, before the routes are there. */
  encoderOf: <E, R>(stream: Stream<E, R>) => Promise<RecordEncoder<R>>
}

/** Every route that takes events. The caller owns the appender, and closes it after the server. */
export const ingestRoutes: FastifyPluginAsync<IngestOptions> = async (server, options) => {
  const { encoderOf, appender, metrics } = options
  const context: EventRouteContext = {
    appender,
    metrics,
    nowMs: options.nowMs ?? Date.now,
    newEventId: options.newEventId ?? createUuidSource()
  }
  registerEventRoute(server, {
    ...context, path: '/user_tags', stream: userTags, encoder: await encoderOf(userTags)
  })
}
