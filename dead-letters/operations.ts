/** What clients are told of dead letters. */
import { Type } from 'typebox'
import { pageViews, streams } from '../contract/index.ts'
import { jsonAnswer } from '../http/index.ts'
import { REASONS, STATES } from './dead-letter.ts'
import type { TSchema } from 'typebox'
import type { Operation } from '../http/index.ts'

const TAG = 'Administration' as const

const choice = (values: readonly string[], description: string): TSchema => {
  return Type.Unsafe({ type: 'string', enum: values, description })
}
const orNull = (schema: object): TSchema => Type.Unsafe({ anyOf: [schema, { type: 'null' }] })
const TEXT_OR_NULL = orNull({ type: 'string' })
const TIME = { type: 'string', format: 'date-time' }

const FILTER = {
  stream: Type.Optional(choice(streams.map(({ name }) => name), 'Of one stream.')),
  reason: Type.Optional(choice(REASONS, 'Of one reason.')),
  state: Type.Optional(choice(STATES, 'In one state.')),
  from: Type.Optional(Type.Unsafe({ ...TIME, description: 'That arrived at or after this time.' })),
  to: Type.Optional(Type.Unsafe({ ...TIME, description: 'That arrived before this time.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'At most so many.' }))
}
const DRY_RUN = Type.Optional(choice(['true', 'false'], 'Say what would be sent, and send nothing.'))
const PATH = Type.Object({
  id: Type.String({ description: 'The dead letter.', examples: ['user_tags-0-7'] })
})

const Retried = orNull(Type.Object({
  at: Type.String(),
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer(),
  corrected: Type.Boolean()
}))
const HEAD = {
  id: Type.String(),
  stream: Type.String(),
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer(),
  reason: Type.String(),
  detail: Type.String(),
  size_bytes: Type.Integer(),
  received_at: Type.String(),
  state: choice(STATES, '`retrying`: an attempt began, and nobody knows whether its event reached the log.'),
  retried: Retried
}
const Letter = Type.Object({
  ...HEAD,
  attempted_at: TEXT_OR_NULL,
  key: Type.Object({ tenant: Type.String(), subject: TEXT_OR_NULL, base64: Type.String() }),
  value_base64: Type.String(),
  event: orNull({ type: 'object', description: 'As a client sends it.' }),
  event_id: TEXT_OR_NULL,
  retry_of: TEXT_OR_NULL,
  undecodable: TEXT_OR_NULL,
  rejected_request: TEXT_OR_NULL
})

export const LIST_OPERATION: Operation = {
  id: 'listDeadLetters',
  tag: TAG,
  summary: 'List records that could not be stored',
  query: Type.Object({
    ...FILTER, cursor: Type.Optional(Type.String({ description: '`next_cursor` of the answer before.' }))
  }),
  answers: {
    200: jsonAnswer('Newest first, without their bytes.', Type.Object({
      dead_letters: Type.Array(Type.Object(HEAD)), next_cursor: TEXT_OR_NULL
    }))
  },
  refusals: ['invalid_parameter', 'invalid_time', 'invalid_limit', 'storage_unavailable']
}

export const SHOW_OPERATION: Operation = {
  id: 'readDeadLetter',
  tag: TAG,
  summary: 'Read one dead letter, decoded as far as it can be',
  path: PATH,
  answers: { 200: jsonAnswer('The letter.', Letter) },
  refusals: ['dead_letter_not_found', 'storage_unavailable']
}

export const RETRY_OPERATION: Operation = {
  id: 'retryDeadLetter',
  tag: TAG,
  summary: 'Send a dead letter into the log again',
  description: 'As it is, or the event of the body instead. Its event is stored once, however often this is called.',
  path: PATH,
  query: Type.Object({ dry_run: DRY_RUN }),
  body: {
    'application/json': {
      schema: { type: 'object', description: 'An event of the letter\'s stream.' }, example: pageViews.example
    }
  },
  bodyOptional: true,
  answers: {
    200: jsonAnswer('What was sent, and its place in the log.', Type.Object({
      id: Type.String(),
      stream: Type.String(),
      event: Type.Object({}),
      state: Type.String(),
      retried: Type.Optional(Retried),
      dry_run: Type.Boolean()
    }))
  },
  refusals: [
    'malformed_json', 'unsupported_media_type', 'missing_field', 'unknown_field', 'wrong_type', 'out_of_range',
    'unknown_value', 'invalid_text', 'invalid_time', 'invalid_parameter', 'dead_letter_not_found',
    'dead_letter_undecodable', 'already_retried', 'log_unavailable', 'storage_unavailable'
  ]
}

export const BULK_RETRY_OPERATION: Operation = {
  id: 'retryDeadLetters',
  tag: TAG,
  summary: 'Send the oldest dead letters of a filter into the log again',
  query: Type.Object({ ...FILTER, dry_run: DRY_RUN }),
  answers: {
    200: jsonAnswer('How many there were, and which could not be retried.', Type.Object({
      matched: Type.Integer(),
      retried: Type.Integer(),
      failed: Type.Array(Type.Object({ id: Type.String(), code: Type.String(), message: Type.String() })),
      more: Type.Boolean(),
      dry_run: Type.Boolean()
    }))
  },
  refusals: ['invalid_parameter', 'invalid_time', 'invalid_limit', 'log_unavailable', 'storage_unavailable']
}
