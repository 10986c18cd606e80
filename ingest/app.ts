import { analytics, interactions, pageViews, streams, userTags, visits } from '../contract/index.ts'
import { createUuidSource } from '../http/index.ts'
import { ignoreBodies, parseEventBatches, parseSingleEvents } from './body-parsers.ts'
import { createEventReader } from './event-reader.ts'
import { createAnalyticsReader, readAnalyticsUser } from './read-analytics-request.ts'
import {
  ANALYTICS_OPERATION, PAGE_OPERATION, USER_TAGS_OPERATION, VISITS_OPERATION, eventsOperation
} from './operations.ts'
import { registerEventRoute } from './routes/event.ts'
import { registerEventBatchRoute } from './routes/event-batch.ts'
import { registerInteractionsRoute } from './routes/interactions.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { RecordEncoder, Stream } from '../contract/index.ts'
import type { RouteAccess } from '../http/index.ts'
import type { EncodedStream } from './to-append-record.ts'
import type { EventRouteContext } from './routes/event.ts'

type Injected = Pick<EventRouteContext, 'appender' | 'metrics'> & Partial<EventRouteContext>

export interface IngestOptions extends Injected {
  /** The encoder of a stream's records; asked before the routes are there. */
  encoderOf: <E, R>(stream: Stream<E, R>) => Promise<RecordEncoder<R>>
}

/** What every route of a stream that takes events asks for. */
function accessOf ({ keyRequired }: Pick<Stream, 'keyRequired'>): RouteAccess {
  return { scope: 'ingest', ...(keyRequired === undefined ? {} : { keyRequired }) }
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
  const encoded = async <E, R>(stream: Stream<E, R>): Promise<EncodedStream<E, R>> => {
    return { stream, encoder: await encoderOf(stream) }
  }

  await server.register(async (scope) => {
    parseSingleEvents(scope)
    registerEventRoute(scope, context, {
      ...await encoded(userTags),
      path: '/user_tags',
      access: accessOf(userTags),
      answer: { status: 204 },
      operation: USER_TAGS_OPERATION
    })
    registerEventRoute(scope, context, {
      ...await encoded(pageViews),
      path: '/page',
      access: accessOf(pageViews),
      answer: { status: 204 },
      operation: PAGE_OPERATION
    })
    registerEventRoute(scope, context, {
      ...await encoded(visits),
      path: '/visits',
      access: accessOf(visits),
      answer: { status: 202, body: { message: 'Visit logged' } },
      operation: VISITS_OPERATION
    })
  })

  await server.register(async (scope) => {
    ignoreBodies(scope)
    registerEventRoute(scope, context, {
      ...await encoded(analytics),
      path: '/analytics',
      access: accessOf(analytics),
      answer: { status: 204 },
      source: { read: createAnalyticsReader(), subjectOf: readAnalyticsUser },
      operation: ANALYTICS_OPERATION
    })
  })

  await server.register(async (scope) => {
    parseEventBatches(scope)
    registerInteractionsRoute(scope, context, {
      ...await encoded(interactions), access: accessOf(interactions)
    })
    for (const stream of streams as ReadonlyArray<Stream<{ event_id?: string }>>) {
      const read = createEventReader<{ event_id?: string }>(stream)
      registerEventBatchRoute(scope, context, {
        ...await encoded(stream),
        path: `/events/${stream.name}`,
        access: accessOf(stream),
        eventSchema: stream.eventSchema,
        example: stream.example,
        operation: eventsOperation(stream),
        readerOf: () => read
      })
    }
  })
}
