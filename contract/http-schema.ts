import { isStorableTime, parseTime } from './time.ts'
import { EVENT_ID_LENGTH_MAX, TEXT_LENGTH_MAX, isStorableText } from './text.ts'
import { fieldShape, isRecord } from './fields.ts'
import type { AvroField, AvroRecord } from './fields.ts'
import type { EventKinds, KindFields } from './kinds.ts'

/** JSON Schema (draft 7), the dialect that Fastify compiles. */
export type JsonSchema = Record<string, unknown>

/**
 * String formats that the HTTP schemas use. `event-time`: RFC 3339 inside the range that the tables hold.
 */
export const FORMATS = {
  'storable-text': isStorableText,
  'event-time': (text: string) => {
    const ms = parseTime(text)
    return ms !== undefined && isStorableTime(ms)
  }
}

/**
 * The schema of one event as a client sends it: the stream's own fields, and an optional `event_id`. Where a
 * stream has kinds, it is `oneOf` theirs, told apart by `discriminator`.
 */
export function eventSchema (record: AvroRecord, kinds?: EventKinds): JsonSchema {
  const fields = record.fields.filter((field) => field.envelope !== true)
  return {
    title: record.name,
    ...(kinds === undefined ? withEventId(objectSchema(fields)) : kindsSchema(fields, kinds)),
    ...(record.doc === undefined ? {} : { description: record.doc })
  }
}

function kindsSchema (fields: readonly AvroField[], { by, fieldsOf }: EventKinds): JsonSchema {
  return {
    ...objectSchema(fields.filter((field) => field.name === by)),
    // Which fields there are is for the kind to say.
    additionalProperties: true,
    discriminator: { propertyName: by },
    oneOf: Object.entries(fieldsOf).map(([symbol, kind]) => {
      const symbols = { ...kind.symbols, [by]: [symbol] }
      const own = fields.flatMap((field) => fieldOfKind(field, kind, symbols[field.name]))
      return withEventId(objectSchema(own))
    })
  }
}

/** A field as events of a kind have it; none where they have not. */
function fieldOfKind (
  field: AvroField, { required, optional }: KindFields, symbols: readonly string[] | undefined
): AvroField[] {
  const { default: absent, ...always } = field
  const common = absent === undefined
  if (!common && !required.includes(field.name) && !optional.includes(field.name)) return []
  return [{
    ...(common || required.includes(field.name) ? always : field),
    ...(symbols === undefined ? {} : { type: { type: 'enum', name: field.name, symbols: [...symbols] } })
  }]
}

function withEventId (schema: JsonSchema): JsonSchema {
  const eventId = { ...textSchema(EVENT_ID_LENGTH_MAX), description: 'Identity of the event, for safe retries.' }
  return { ...schema, properties: { ...schema['properties'] as JsonSchema, event_id: eventId } }
}

function objectSchema (fields: readonly AvroField[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field)])),
    required: fields.filter((field) => !('default' in field)).map((field) => field.name),
    additionalProperties: false
  }
}

function fieldSchema (field: AvroField): JsonSchema {
  const schema = isRecord(field.type) ? objectSchema(field.type.fields) : leafSchema(field)
  return { ...schema, description: field.doc }
}

function leafSchema (field: AvroField): JsonSchema {
  const { kind, bits, symbols } = fieldShape(field.type)
  switch (kind) {
    case 'text': return textSchema(TEXT_LENGTH_MAX)
    case 'enum': return { type: 'string', enum: symbols }
    case 'instant': return { type: 'string', format: 'event-time', maxLength: 40 }
    case 'boolean': return { type: 'boolean' }
    case 'number': return { type: 'number', ...(field.minimum === undefined ? {} : { minimum: field.minimum }) }
    case 'integer': return integerSchema(bits)
    case 'integer_or_text': return {
      type: ['integer', 'string'],
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      minLength: 1,
      maxLength: TEXT_LENGTH_MAX,
      format: 'storable-text'
    }
  }
}

function textSchema (lengthMax: number): JsonSchema {
  return { type: 'string', minLength: 1, maxLength: lengthMax, format: 'storable-text' }
}

/** 64-bit integers are held to what JSON readers keep exactly: ±(2^53 − 1), RFC 8259 section 6. */
function integerSchema (bits: 32 | 64): JsonSchema {
  return bits === 32
    ? { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }
    : { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
}
