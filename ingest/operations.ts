/** What clients are told of the routes that take events. */
import { Type } from 'typebox'
import { EVENT_ID_LENGTH_MAX } from '../contract/index.ts'
import { jsonAnswer } from '../http/index.ts'
import { BATCH_EVENTS_MAX } from './event-batch.ts'
import { ANALYTICS_QUERY } from './read-analytics-request.ts'
import type { JsonSchema, Stream } from '../contract/index.ts'
import type { Answer, Content, Operation } from '../http/index.ts'
import type { EventBatchRoute } from './routes/event-batch.ts'
import type { EventRoute } from './routes/event.ts'

/** What a route says of itself; the rest is the same for all of them. */
export type RouteOperation = Pick<Operation, 'id' | 'tag' | 'summary'> & Partial<Operation>

export const USER_TAGS_OPERATION: RouteOperation = {
  id: 'sendUserTag', tag: 'User tags', summary: 'Send a shopper\'s view or purchase'
}
export const PAGE_OPERATION: RouteOperation = { id: 'sendPageView', tag: 'Page views', summary: 'Send a page view' }
export const VISITS_OPERATION: RouteOperation = { id: 'sendVisit', tag: 'Visits', summary: 'Send a visit' }
export const ANALYTICS_OPERATION: RouteOperation = {
  id: 'sendAnalyticsEvent',
  tag: 'Analytics',
  summary: 'Send a click or an impression',
  description: 'Answered 204 whatever is sent: what is no event goes to the dead letters, with its reason. ' +
    'A body is ignored.',
  query: ANALYTICS_QUERY,
  headers: Type.Object({ 'Idempotency-Key': Type.Optional(Type.String({ description: 'As `event_id`.' })) }),
  refusals: []
}

export function eventsOperation ({ name }: Pick<Stream, 'name'>): RouteOperation {
  const camelCase = name.replace(/(?:^|_)(.)/g, (_match, letter: string) => letter.toUpperCase())
  return { id: `sendEventsTo${camelCase}`, tag: 'Events', summary: `Send events of the stream ${name}` }
}

const IDEMPOTENCY_KEY = Type.Object({
  'Idempotency-Key': Type.Optional(Type.String({
    minLength: 1,
    maxLength: EVENT_ID_LENGTH_MAX,
    description: 'Identity of the event, for safe retries; as `event_id` in the event. Not beside many events.'
  }))
})

const COMPRESSION = 'The body may be compressed: `Content-Encoding: gzip` or `zstd`.'
/** Errors of the header above, and of compressed bodies. */
const EVENT_REFUSALS = ['invalid_parameter', 'malformed_encoding', 'unsupported_encoding'] as const

export function eventOperation<E, R> (
  { stream, answer, operation }: Pick<EventRoute<E, R>, 'stream' | 'answer' | 'operation'>
): Operation {
  const description = 'The event is durable.'
  const answered: Answer = 'body' in answer
    ? jsonAnswer(description, { type: 'object', properties: { message: { type: 'string' } } }, answer.body)
    : { description }
  return {
    description: `Answered when the event is durable in the log. ${COMPRESSION}`,
    headers: IDEMPOTENCY_KEY,
    bodyExample: stream.example,
    answers: { [answer.status]: answered },
    refusals: EVENT_REFUSALS,
    ...operation
  }
}

export function eventBatchOperation<E, R> (
  { eventSchema, example, operation }: Pick<EventBatchRoute<E, R>, 'eventSchema' | 'example' | 'operation'>
): Operation {
  return {
    description: 'Takes one event or many, and says what became of each. Answered when every accepted event is ' +
      `durable in the log; 400 where none was acceptable. ${COMPRESSION}`,
    headers: IDEMPOTENCY_KEY,
    body: batchContent(eventSchema, example),
    answers: { 200: jsonAnswer('Every accepted event is durable.', BATCH_RESULT, { accepted: 1, rejected: [] }) },
    refusals: [...EVENT_REFUSALS, 'too_many_events'],
    ...operation
  }
}

function batchContent (eventSchema: JsonSchema, example: unknown): Record<string, Content> {
  const many = { type: 'array', items: eventSchema, maxItems: BATCH_EVENTS_MAX }
  return {
    'application/json': { schema: { anyOf: [eventSchema, many] }, example: [example] },
    'application/x-ndjson': {
      schema: { type: 'string', description: 'One event a line.' }, example: `${JSON.stringify(example)}\n`
    }
  }
}

const BATCH_RESULT: JsonSchema = {
  title: 'BatchResult',
  type: 'object',
  properties: {
    accepted: { type: 'integer', description: 'Events that are durable.' },
    rejected: {
      type: 'array',
      description: 'Every other event.',
      items: {
        type: 'object',
        properties: {
          index: { type: 'integer', description: 'Place among the events of the request, from 0.' },
          code: { type: 'string', description: 'An error code.' },
          message: { type: 'string' }
        },
        required: ['index', 'code', 'message']
      }
    }
  },
  required: ['accepted', 'rejected']
}
