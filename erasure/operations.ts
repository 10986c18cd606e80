/** What clients are told of erasure. */
import { Type } from 'typebox'
import { TEXT_LENGTH_MAX } from '../contract/index.ts'
import { jsonAnswer } from '../http/index.ts'
import type { Answer, Operation } from '../http/index.ts'

const TIME = Type.String({ format: 'date-time' })
const NULLABLE_TIME = Type.Union([TIME, Type.Null()])
const COUNT = Type.Integer({ minimum: 0 })

const RECEIPT = Type.Object({
  id: Type.String({ format: 'uuid' }),
  state: Type.Unsafe<string>({
    type: 'string',
    enum: ['hidden', 'masked', 'removed'],
    description: 'hidden: no read shows it; masked: no table gives it; removed: no table holds it.'
  }),
  streams: Type.Array(Type.String()),
  cutoff: Type.String({ format: 'date-time', description: 'What was accepted until then is erased.' }),
  tables: Type.Array(Type.Object({
    table: Type.String(),
    rows_masked: Type.Integer({
      minimum: 0, description: 'Rows that this erasure masked; what an earlier one meant too is counted there.'
    }),
    rows_left: COUNT,
    masked_at: TIME,
    removed_at: NULLABLE_TIME
  })),
  removed_at: NULLABLE_TIME,
  log_holds_until: Type.String({
    format: 'date-time', description: 'Until then the log may hold the bytes; nothing is read from them any more.'
  })
}, { title: 'ErasureReceipt' })

const EXAMPLE = {
  id: '019a1b2c-3d4e-7f60-8a9b-0c1d2e3f4a5b',
  state: 'removed',
  streams: ['page_views'],
  cutoff: '2026-03-04T05:06:07.000Z',
  tables: [{
    table: 'page_views',
    rows_masked: 21,
    rows_left: 0,
    masked_at: '2026-03-04T05:06:14.000Z',
    removed_at: '2026-03-04T05:06:16.000Z'
  }],
  removed_at: '2026-03-04T05:06:16.000Z',
  log_holds_until: '2026-03-11T05:06:07.000Z'
}

const ACCEPTED: Answer = {
  ...jsonAnswer('From now on no read shows what was accepted until the cut-off.', RECEIPT, {
    ...EXAMPLE, state: 'hidden', tables: [], removed_at: null
  }),
  headers: { Location: { type: 'string', description: 'Where the receipt is.' } }
}

const REFUSALS = ['erasure_not_configured', 'overloaded', 'storage_unavailable'] as const

export const ERASE_OPERATION: Operation = {
  id: 'erase',
  tag: 'Administration',
  summary: 'Erase a subject from some or all streams',
  bodyExample: { subject: 'u1', streams: ['page_views'] },
  answers: { 202: ACCEPTED },
  refusals: REFUSALS
}

export const DELETE_USER_OPERATION: Operation = {
  id: 'deleteUser',
  tag: 'Administration',
  summary: 'Erase a user from every stream',
  path: Type.Object({
    user_id: Type.String({
      minLength: 1, maxLength: TEXT_LENGTH_MAX, description: 'Whom to erase.', examples: ['u1']
    })
  }),
  answers: { 202: ACCEPTED },
  refusals: ['invalid_parameter', ...REFUSALS]
}

export const LIST_ERASURES_OPERATION: Operation = {
  id: 'listErasures',
  tag: 'Administration',
  summary: 'List the organisation\'s erasures, newest first',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Erasures of one page.' })),
    before: Type.Optional(Type.String({ format: 'uuid', description: 'Only those before this erasure.' }))
  }),
  answers: {
    200: jsonAnswer('A page.', Type.Object({
      erasures: Type.Array(RECEIPT),
      next: Type.Union([Type.String({ description: 'URL of the next page.' }), Type.Null()])
    }), { erasures: [EXAMPLE], next: null })
  },
  refusals: ['invalid_parameter', 'storage_unavailable']
}

export const SHOW_ERASURE_OPERATION: Operation = {
  id: 'readErasure',
  tag: 'Administration',
  summary: 'Read the receipt of an erasure',
  path: Type.Object({ id: Type.String({ format: 'uuid', description: 'Of the erasure.' }) }),
  answers: { 200: jsonAnswer('The receipt, complete once `removed_at` is set.', RECEIPT, EXAMPLE) },
  refusals: ['erasure_not_found', 'storage_unavailable']
}
