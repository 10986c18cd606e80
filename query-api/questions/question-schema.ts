import { Type } from 'typebox'
import { TEXT_LENGTH_MAX } from '../../contract/index.ts'
import { BUCKETS, FUNCTIONS, OPERATORS, QUESTION_LIMITS } from './question.ts'

const NAME = { minLength: 1, maxLength: 128 }
const STRICT = { additionalProperties: false }

const Name = Type.String({ ...NAME, format: 'storable-text' })

/** Where in the schema itself a condition is described; conditions hold conditions. */
const CONDITION = { $ref: '#/definitions/condition' }

/** Which members go together is said by the parser, in words; see `parseFilters`. */
const condition = {
  type: 'object',
  description: 'One of {and: […]}, {or: […]}, {not: …}, {field, op, value}.',
  properties: {
    and: { type: 'array', items: CONDITION, minItems: 1, maxItems: QUESTION_LIMITS.conditions },
    or: { type: 'array', items: CONDITION, minItems: 1, maxItems: QUESTION_LIMITS.conditions },
    not: CONDITION,
    field: Name,
    op: { type: 'string', enum: OPERATORS },
    value: {
      type: ['string', 'number', 'boolean', 'null', 'array'],
      maxLength: TEXT_LENGTH_MAX,
      minLength: 1,
      format: 'storable-text',
      minItems: 1,
      maxItems: QUESTION_LIMITS.listValues,
      items: {
        type: ['string', 'number'], minLength: 1, maxLength: TEXT_LENGTH_MAX, format: 'storable-text'
      }
    }
  },
  additionalProperties: false
}

const Conditions = Type.Unsafe({
  anyOf: [CONDITION, { type: 'array', items: CONDITION, maxItems: QUESTION_LIMITS.conditions }]
})

const Measure = Type.Object({
  fn: Type.Unsafe({ type: 'string', enum: FUNCTIONS }),
  field: Type.Optional(Name),
  level: Type.Optional(Type.Number({
    minimum: 0, maximum: 1, description: 'Of a quantile, in thousandths: 0.5 is the median.'
  }))
}, STRICT)

const Time = Type.Object({
  from: Type.String({ format: 'event-time', maxLength: 40, description: 'First instant, RFC 3339.' }),
  to: Type.String({ format: 'event-time', maxLength: 40, description: 'First instant after the range.' }),
  bucket: Type.Optional(Type.Unsafe({ type: 'string', enum: Object.keys(BUCKETS) })),
  timezone: Type.Optional(Type.String({ ...NAME, description: 'IANA name; UTC by default.' }))
}, STRICT)

/** The body of `POST /query`; docs/query.md says what it means. */
export const questionSchema = Type.Object({
  stream: Name,
  measures: Type.Array(Measure, { minItems: 1, maxItems: QUESTION_LIMITS.measures }),
  group_by: Type.Optional(Type.Array(Name, { maxItems: QUESTION_LIMITS.groupBy, uniqueItems: true })),
  time: Time,
  filters: Type.Optional(Conditions),
  having: Type.Optional(Conditions),
  order_by: Type.Optional(Type.Array(Type.Object({
    by: Name,
    direction: Type.Optional(Type.Unsafe({ type: 'string', enum: ['asc', 'desc'] }))
  }, STRICT), { maxItems: QUESTION_LIMITS.orderBy })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: QUESTION_LIMITS.rows })),
  fill: Type.Optional(Type.Boolean()),
  top: Type.Optional(Type.Object({
    n: Type.Integer({ minimum: 1, maximum: QUESTION_LIMITS.top }), by: Type.Optional(Name)
  }, STRICT))
}, { ...STRICT, title: 'Question', definitions: { condition } })
