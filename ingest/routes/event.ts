import { MillraceError, encodeRejected, recordKey } from '../../contract/index.ts'
import { requestError, tenantOf } from '../../http/index.ts'
import { eventIdentity } from '../event-id.ts'
import { eventOperation } from '../operations.ts'
import { toAppendRecord } from '../to-append-record.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RouteAccess } from '../../http/index.ts'
import type { AppendRecord } from '../../eventlog/index.ts'
import type { GroupAppender } from '../group-appender.ts'
import type { IngestMetrics } from '../metrics.ts'
import type { RouteOperation } from '../operations.ts'
import type { EncodedStream } from '../to-append-record.ts'

/** What every event route of an ingest server shares. */
export interface EventRouteContext {
  appender: Pick<GroupAppender, 'append' | 'appendMany'>
  metrics: IngestMetrics
  /** Epoch milliseconds now: the time of arrival. */
  nowMs: () => number
  newEventId: () => string
}

/** A route that takes one event a request. */
export interface EventRoute<E, R> extends EncodedStream<E, R> {
  path: string
  access: RouteAccess
  /** The answer when the event is durable, and not before. */
  answer: { status: 204 } | { status: 202, body: object }
  /** Where the event is not the body, validated by the stream's schema. */
  source?: EventSource<E>
  operation: RouteOperation
}

/**
 * A request that holds its event elsewhere, and is never refused: what is no event goes into the log as it
 * came, for the dead letters.
 */
export interface EventSource<E> {
  /** Throws MillraceError where the request holds no event. */
  read: (request: FastifyRequest) => E
  /** Whom a request is about, also where it holds no event. */
  subjectOf: (request: FastifyRequest) => string | undefined
}

/** `POST <path>`: one event, answered when it is durable in the log. */
export function registerEventRoute<E extends { event_id?: string }, R> (
  server: FastifyInstance, context: EventRouteContext, route: EventRoute<E, R>
): void {
  const { appender, metrics, nowMs, newEventId } = context
  const { path, stream, access, answer, source } = route
  const readEvent = source?.read ?? ((request: FastifyRequest) => request.body as E)
  const toRecord = (request: FastifyRequest): AppendRecord => {
    const event = readEvent(request)
    const identity = eventIdentity(event.event_id, request.headers['idempotency-key'], newEventId)
    return toAppendRecord(route, event, { tenant: tenantOf(request), ...identity }, nowMs())
  }
  const toRecordOfAny = (request: FastifyRequest): AppendRecord => {
    try {
      return toRecord(request)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      metrics.rejected.labels(stream.name, error.code).inc()
      const value = encodeRejected({ detail: error.message, request: requestText(request) })
      // By its subject where it names one, so that erasure finds it.
      const key = recordKey(tenantOf(request), source?.subjectOf(request) ?? '')
      return { key, value, timestampMs: nowMs() }
    }
  }
  const recordOf = source === undefined ? toRecord : toRecordOfAny
  server.post(path, {
    config: { access, operation: eventOperation(route) },
    schema: source === undefined ? { body: stream.eventSchema } : {},
    onError: countRefusal(metrics, stream.name)
  }, async (request, reply) => {
    await appender.append(stream.topic, recordOf(request))
    return reply.code(answer.status).send('body' in answer ? answer.body : undefined)
  })
}

/** A hook that counts a request which is refused as a whole. */
export function countRefusal (metrics: IngestMetrics, stream: string) {
  return (request: FastifyRequest, _reply: unknown, error: Error, done: () => void): void => {
    metrics.rejected.labels(stream, requestError(error, request).code).inc()
    done()
  }
}

/** What came, as whoever looks at the dead letter needs it. */
function requestText ({ method, url, body }: FastifyRequest): string {
  return typeof body === 'string' ? `${method} ${url}\n\n${body}` : `${method} ${url}`
}
