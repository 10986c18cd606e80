import { Type } from 'typebox'
import { MillraceError } from '../../contract/index.ts'
import { compileValidator } from '../../http/index.ts'
import { APP_SCHEMA, INTERACTION_EXAMPLE, INTERACTION_SCHEMA, createInteractionReader } from '../read-interaction.ts'
import { parseUserAgent } from '../user-agent.ts'
import { registerEventBatchRoute } from './event-batch.ts'
import type { FastifyInstance } from 'fastify'
import type { Interaction, InteractionRecord } from '../../contract/index.ts'
import type { RouteAccess } from '../../http/index.ts'
import type { EncodedStream } from '../to-append-record.ts'
import type { UserAgent } from '../user-agent.ts'
import type { EventRouteContext } from './event.ts'

type InteractionsRoute = EncodedStream<Interaction, InteractionRecord> & { access: RouteAccess }

/** `POST /interactions/{app}`: interactions as trackers send them. */
export function registerInteractionsRoute (
  server: FastifyInstance, context: EventRouteContext, route: InteractionsRoute
): void {
  const validateApp = compileValidator(APP_SCHEMA)
  const readerOf = createInteractionReader()
  registerEventBatchRoute(server, context, {
    ...route,
    path: '/interactions/:app',
    eventSchema: INTERACTION_SCHEMA,
    example: INTERACTION_EXAMPLE,
    operation: {
      id: 'sendInteractions',
      tag: 'Interactions',
      summary: 'Send interactions of an app',
      path: Type.Object({ app: Type.Unsafe(APP_SCHEMA) })
    },
    readerOf: (request) => {
      const { app } = request.params as { app: string }
      const fault = validateApp(app)
      if (fault !== undefined) {
        throw new MillraceError(fault.code, `app ${fault.message}`, { faults: [{ ...fault, path: 'app' }] })
      }
      return readerOf({ app, userAgent: once(() => parseUserAgent(request.headers['user-agent'])) })
    }
  })
}

/** Asks at the first call, and remembers: a batch may hold many session starts, but has one header. */
function once (ask: () => UserAgent): () => UserAgent {
  let known: UserAgent | undefined
  return () => {
    known ??= ask()
    return known
  }
}
