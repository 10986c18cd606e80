/** What clients are told of questions and of the catalogue. */
import { Type } from 'typebox'
import { jsonAnswer } from '../../http/index.ts'
import { saveQuestion } from '../questions/saved-question.ts'
import { COMPLETE_UP_TO_HEADER } from '../questions/watermark.ts'
import type { JsonSchema } from '../../contract/index.ts'
import type { Answer, Content, Operation } from '../../http/index.ts'
import type { QuestionInput } from '../questions/parse-question.ts'

const TEXT: JsonSchema = { type: 'string' }
const TEXTS: JsonSchema = { type: 'array', items: TEXT }
const COUNT: JsonSchema = { type: 'integer', minimum: 0 }

const QUESTION_EXAMPLE: QuestionInput = {
  stream: 'user_tags',
  measures: [{ fn: 'count' }, { fn: 'sum', field: 'price' }],
  group_by: ['brand_id'],
  time: { from: '2022-03-22T12:00:00Z', to: '2022-03-22T13:00:00Z', bucket: '1m' },
  filters: [{ field: 'action', op: '=', value: 'BUY' }],
  limit: 100
}

const ANSWER_SCHEMA: JsonSchema = {
  title: 'QuestionAnswer',
  type: 'object',
  properties: {
    stream: TEXT,
    columns: {
      type: 'array',
      items: {
        type: 'object',
        properties: { name: TEXT, type: { type: 'string', enum: ['time', 'text', 'integer', 'number', 'boolean'] } },
        required: ['name', 'type']
      }
    },
    rows: {
      type: 'array',
      items: { type: 'array', items: { type: ['string', 'number', 'boolean', 'null'] } },
      description: 'Cells in the order of the columns. An integer beyond ±(2^53 − 1) is its decimal text.'
    },
    source: { type: 'string', enum: ['rollup', 'raw'], description: 'Which table answered.' },
    reason: { ...TEXT, description: 'Why that one.' },
    complete_up_to: {
      type: ['string', 'null'],
      format: 'date-time',
      description: 'Every event accepted before this instant is in the answer, except those that waited in the ' +
        'spool of another process while the brokers were away; null where nothing is promised.'
    },
    elapsed_ms: COUNT,
    rows_read: COUNT,
    bytes_read: COUNT,
    truncated: { type: 'boolean', description: 'There are more rows than `limit`.' }
  },
  required: ['stream', 'columns', 'rows', 'source', 'reason', 'complete_up_to', 'elapsed_ms']
}

const BINARY: Content = { schema: { type: 'string', format: 'binary' } }

const ANSWER: Answer = {
  description: 'The answer, in the format that `Accept` chooses. Other formats than JSON carry the members beside ' +
    'the rows as headers.',
  content: {
    ...jsonAnswer('', ANSWER_SCHEMA).content,
    'text/csv': { schema: TEXT },
    'application/x-ndjson': { schema: TEXT },
    'application/vnd.apache.arrow.stream': BINARY,
    'application/vnd.apache.arrow.file': BINARY
  },
  headers: {
    [COMPLETE_UP_TO_HEADER]: { type: 'string', format: 'date-time', description: 'As `complete_up_to`.' }
  }
}

const PARSED = ['invalid_query', 'invalid_time_range'] as const
const ASKED = [
  ...PARSED, 'not_acceptable', 'query_too_expensive', 'query_too_large', 'query_timeout'
] as const

export const ASK_OPERATION: Operation = {
  id: 'ask',
  tag: 'Questions',
  summary: 'Ask a question about a stream',
  description: 'Measures of the events within a range of time and behind filters, by groups and buckets of time. ' +
    '`GET /streams` says which fields there are and what may be asked of each.',
  bodyExample: QUESTION_EXAMPLE,
  answers: { 200: ANSWER },
  refusals: ASKED
}

export const SAVE_QUESTION_OPERATION: Operation = {
  id: 'saveQuestion',
  tag: 'Questions',
  summary: 'Get the URL of a question',
  description: 'The URL holds the question itself: nothing is stored, and it does not expire.',
  bodyExample: QUESTION_EXAMPLE,
  answers: {
    200: {
      ...jsonAnswer('Where the question is answered.', {
        title: 'SavedQuestion', type: 'object', properties: { id: TEXT, url: TEXT }, required: ['id', 'url']
      }),
      headers: { Location: { type: 'string', description: 'The URL.' } }
    }
  },
  refusals: PARSED
}

export const ASK_SAVED_OPERATION: Operation = {
  id: 'askSaved',
  tag: 'Questions',
  summary: 'Answer a saved question',
  path: Type.Object({
    id: Type.String({
      minLength: 1, description: 'Of `POST /queries`.', examples: [saveQuestion(QUESTION_EXAMPLE)]
    })
  }),
  headers: Type.Object({ 'If-None-Match': Type.Optional(Type.String({ description: 'An ETag of an earlier answer.' })) }),
  answers: {
    200: { ...ANSWER, headers: { ...ANSWER.headers, ETag: { type: 'string', description: 'Changes with the data.' } } },
    304: { description: 'Nothing more of the stream was stored since.' }
  },
  // The id holds a question, so it can be wrong in every way that a question can.
  refusals: [
    ...ASKED, 'invalid_parameter', 'missing_field', 'unknown_field', 'wrong_type', 'out_of_range', 'unknown_value',
    'invalid_text', 'invalid_time'
  ]
}

const FIELD_SCHEMA: JsonSchema = {
  title: 'CatalogueField',
  type: 'object',
  properties: {
    name: TEXT,
    type: {
      type: 'string', enum: ['text', 'integer', 'number', 'boolean', 'enum', 'instant', 'integer_or_text']
    },
    description: TEXT,
    optional: { type: 'boolean' },
    personal: { type: 'boolean', description: 'It identifies a person.' },
    symbols: { ...TEXTS, description: 'Values of an enum.' },
    operators: { ...TEXTS, description: 'Operators of filters.' },
    groupable: { type: 'boolean' },
    functions: { ...TEXTS, description: 'Measures of it.' }
  },
  required: ['name', 'type', 'description', 'optional', 'personal', 'symbols', 'operators', 'groupable', 'functions']
}

const TABLE_SCHEMA: JsonSchema = {
  title: 'CatalogueTable',
  type: 'object',
  properties: {
    name: TEXT,
    kind: { type: 'string', enum: ['raw', 'by_subject', 'by_minute', 'by_time'] },
    personal: { type: 'boolean' },
    retention_days: { ...COUNT, description: 'Days after arrival at which rows leave.' }
  },
  required: ['name', 'kind', 'personal', 'retention_days']
}

const STREAM_SCHEMA: JsonSchema = {
  title: 'CatalogueStream',
  type: 'object',
  properties: {
    name: TEXT,
    description: TEXT,
    event_time: { ...TEXT, description: 'Field that says when an event happened.' },
    subject: { ...TEXT, description: 'Field that says whose data an event is.' },
    fields: { type: 'array', items: FIELD_SCHEMA },
    dimensions: TEXTS,
    measures: TEXTS,
    tables: { type: 'array', items: TABLE_SCHEMA },
    rollup: {
      type: ['object', 'null'],
      description: 'What the minute rollup holds; null where there is none.',
      properties: { dimensions: TEXTS, sums: TEXTS },
      required: ['dimensions', 'sums']
    }
  },
  required: ['name', 'description', 'event_time', 'subject', 'fields', 'dimensions', 'measures', 'tables', 'rollup']
}

export const STREAMS_OPERATION: Operation = {
  id: 'listStreams',
  tag: 'Questions',
  summary: 'List the streams and what may be asked of them',
  answers: {
    200: jsonAnswer('The catalogue.', {
      type: 'object', properties: { streams: { type: 'array', items: STREAM_SCHEMA } }, required: ['streams']
    })
  }
}
