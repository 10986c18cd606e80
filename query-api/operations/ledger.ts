/** What clients are told of the ledger. */
import { Type } from 'typebox'
import { streams } from '../../contract/index.ts'
import { jsonAnswer } from '../../http/index.ts'
import { choice, dateOrTime } from './parameters.ts'
import type { Operation } from '../../http/index.ts'

const Records = Type.Integer({ minimum: 0 })
const COUNTS = {
  accepted: Records,
  stored: Records,
  dead_lettered: Records,
  duplicates: Records,
  erased: Records,
  balance: Type.Integer({ description: 'What is missing, or below 0 what is there twice.' }),
  imbalance: Records
}
const OfPartition = { stream: Type.String(), partition: Type.Integer() }
const OrNull = (type: 'integer' | 'string'): object => ({ type: [type, 'null'] })

const LedgerAnswer = Type.Object({
  from: Type.String(),
  to: Type.String(),
  balanced: Type.Boolean(),
  totals: Type.Object({ ...COUNTS, in_flight: Records }),
  partitions: Type.Array(Type.Object({
    ...OfPartition, begin: Records, committed: Records, end: Records, ...COUNTS, in_flight: Records
  })),
  minutes: Type.Array(Type.Object({
    minute: Type.String(), ...OfPartition, first_offset: Records, last_offset: Records, ...COUNTS
  })),
  next_cursor: Type.Unsafe(OrNull('string')),
  faults: Type.Array(Type.Object({
    kind: Type.Enum(['gap', 'overlap', 'miscount', 'recount']),
    table: Type.String(),
    stream: Type.String(),
    partition: Type.Unsafe(OrNull('integer')),
    minute: Type.Unsafe(OrNull('string')),
    first_offset: Type.Unsafe(OrNull('integer')),
    last_offset: Type.Unsafe(OrNull('integer')),
    expected: Records,
    found: Records
  })),
  recounted: Type.Array(Type.Object({ table: Type.String(), stream: Type.String(), from: Type.String() }))
})

export const LEDGER_OPERATION: Operation = {
  id: 'readLedger',
  tag: 'Operations',
  summary: 'Compare what was accepted with what became of it',
  description: 'accepted = stored + dead_lettered + duplicates + erased + in_flight, by stream, partition and ' +
    'minute of arrival, of the whole installation. Faults name the table and the offsets.',
  query: Type.Object({
    from: Type.Optional(dateOrTime('Of arrival; the last day without it.', '2026-03-22T00:00:00Z')),
    to: Type.Optional(dateOrTime('Of arrival, included; now without it.', '2026-03-22T23:59:59Z')),
    stream: Type.Optional(choice(streams.map(({ name }) => name), 'One stream alone.')),
    recount: Type.Optional(choice(['true', 'false'], 'Count the rows of the tables again too.')),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000, description: 'Minutes in the answer; 200 without it.' })),
    cursor: Type.Optional(Type.String({ description: '`next_cursor` of the answer before.' }))
  }),
  answers: { 200: jsonAnswer('The books.', LedgerAnswer) },
  refusals: [
    'invalid_time', 'invalid_time_range', 'invalid_limit', 'invalid_parameter', 'log_unavailable', 'overloaded',
    'shutting_down', 'storage_unavailable'
  ]
}
