import { MillraceError } from '../../contract/index.ts'
import { problemHeaders, tenantOf, toProblem } from '../../http/index.ts'
import { BATCH_BODY_BYTES_MAX } from '../event-batch.ts'
import { eventIdentity } from '../event-id.ts'
import { eventBatchOperation } from '../operations.ts'
import { toAppendRecord } from '../to-append-record.ts'
import { countRefusal } from './event.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode, Fault, JsonSchema } from '../../contract/index.ts'
import type { RouteAccess } from '../../http/index.ts'
import type { AppendRecord } from '../../eventlog/index.ts'
import type { EventBatch } from '../event-batch.ts'
import type { EventReader } from '../event-reader.ts'
import type { RouteOperation } from '../operations.ts'
import type { EncodedStream } from '../to-append-record.ts'
import type { EventRouteContext } from './event.ts'

/** A route that takes one event or many a request, and says what became of each. */
export interface EventBatchRoute<E, R> extends EncodedStream<E, R> {
  path: string
  access: RouteAccess
  /** Schema of one event as this route takes it, for documentation: each is validated by the reader alone. */
  eventSchema: JsonSchema
  /** An event as this route takes it. */
  example: unknown
  operation: RouteOperation
  /** What reads the events of this request. Throws MillraceError where the request as a whole is refused. */
  readerOf: (request: FastifyRequest) => EventReader<E>
}

/** An event that was not taken; `index` is its place among the events of the request, from 0. */
export interface Rejection {
  index: number
  code: ErrorCode
  message: string
}

/**
 * `POST <path>`: answered 200 when every acceptable event is durable; 400 where there were events and none
 * was acceptable; 503 where the log did not confirm all of them: any number may have been stored.
 */
export function registerEventBatchRoute<E extends { event_id?: string }, R> (
  server: FastifyInstance, context: EventRouteContext, route: EventBatchRoute<E, R>
): void {
  const { appender, metrics, nowMs, newEventId } = context
  const { path, stream, access, readerOf } = route
  server.post(path, {
    config: { access, operation: eventBatchOperation(route) },
    bodyLimit: BATCH_BODY_BYTES_MAX,
    onError: countRefusal(metrics, stream.name)
  }, async (request, reply) => {
    const timestampMs = nowMs()
    const tenant = tenantOf(request)
    const batch = readBody(request)
    const header = identityHeader(request, batch)
    const read = readerOf(request)
    const records: AppendRecord[] = []
    const faults: Array<Fault & { index: number }> = []
    for (const [index, item] of batch.items.entries()) {
      const { event, fault } = read(item)
      if (fault === undefined) {
        const identity = eventIdentity(event.event_id, header, newEventId)
        records.push(toAppendRecord(route, event, { tenant, ...identity }, timestampMs))
      } else {
        faults.push({ index, ...fault })
      }
    }
    if (records.length > 0) await appender.appendMany(stream.topic, records)
    for (const { code } of faults) metrics.rejected.labels(stream.name, code).inc()
    if (records.length === 0 && faults.length > 0) return sendRefusal(request, reply, faults)
    return { accepted: records.length, rejected: faults.map(toRejection) }
  })
}

function readBody (request: FastifyRequest): EventBatch {
  if (request.body === undefined) throw new MillraceError('empty_body', 'The body is empty')
  return request.body as EventBatch
}

/** The Idempotency-Key names one event: beside many it would name none of them. */
function identityHeader (request: FastifyRequest, batch: EventBatch): string | string[] | undefined {
  const header = request.headers['idempotency-key']
  if (header === undefined || batch.single) return header
  const message = 'names one event; the events of a batch carry event_id'
  throw new MillraceError('invalid_parameter', `Idempotency-Key ${message}`, {
    faults: [{ path: 'Idempotency-Key', code: 'invalid_parameter', message }]
  })
}

function toRejection ({ index, path, code, message }: Fault & { index: number }): Rejection {
  return { index, code, message: `${path}: ${message}` }
}

/** Nothing was acceptable: a problem with the first event's code, and what is wrong with each. */
function sendRefusal (
  request: FastifyRequest, reply: FastifyReply, faults: ReadonlyArray<Fault & { index: number }>
): FastifyReply {
  const { code, message } = toRejection(faults[0] as Fault & { index: number })
  const error = new MillraceError(code, message, {
    faults: faults.map(({ index, path, ...fault }) => ({ ...fault, path: `/${index}${path === '/' ? '' : path}` }))
  })
  return reply
    .code(error.status)
    .headers(problemHeaders(error, request.id))
    .type('application/problem+json')
    .send(JSON.stringify({ ...toProblem(error), rejected: faults.map(toRejection) }))
}
