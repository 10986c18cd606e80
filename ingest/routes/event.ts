import { requestError, tenantOf } from '../../http/index.ts'
import { eventIdentity } from '../event-id.ts'
import type { FastifyInstance } from 'fastify'
import type { RecordEncoder, Stream } from '../../contract/index.ts'
import type { GroupAppender } from '../group-appender.ts'
import type { IngestMetrics } from '../metrics.ts'

/** What every event route of an ingest server shares. */
export interface EventRouteContext {
  appender: Pick<GroupAppender, 'append'>
  metrics: IngestMetrics
  /** Epoch milliseconds now: the time of arrival. */
  nowMs: () => number
  newEventId: () => string
}

export interface EventRouteOptions<E, R> extends EventRouteContext {
  path: string
  stream: Stream<E, R>
  encoder: RecordEncoder<R>
}

/**
 * `POST <path>`: one event of the stream, answered 204 when it is durable in the log, and not before. Any
 * stream takes its single events this way.
 */
export function registerEventRoute<E extends { event_id?: string }, R> (
  server: FastifyInstance, options: EventRouteOptions<E, R>
): void {
  const { path, stream, encoder, appender, metrics, nowMs, newEventId } = options
  server.post(path, {
    schema: { body: stream.eventSchema },
    onError: (request, _reply, error, done) => {
      metrics.rejected.labels(stream.name, requestError(error, request).code).inc()
      done()
    }
  }, async (request, reply) => {
    const timestampMs = nowMs()
    const event = request.body as E
    const tenant = tenantOf(request)
    const identity = eventIdentity(event.event_id, request.headers['idempotency-key'], newEventId)
    const record = stream.toRecord(event, { tenant, ...identity })
    await appender.append(stream.topic, {
      key: stream.recordKey(event, tenant), value: encoder.encode(record), timestampMs
    })
    return reply.code(204).send()
  })
}
