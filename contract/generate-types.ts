/**
 * TypeScript types of a stream, from its newest Avro schema. `npm run generate` writes them beside the
 * schema; a test fails where the file and the schema are out of step.
 */
import { fieldShape, isRecord } from './fields.ts'
import type { AvroField, AvroRecord, AvroType } from './fields.ts'

/**
 * The text of a stream's `types.ts`: `<Name>` is the event of a client, `<Name>Record` the record in the log.
 */
export function generateTypes (schema: AvroRecord): string {
  const eventFields = schema.fields.filter((field) => field.envelope !== true)
  const eventLines = [...members(eventFields, '  ', eventType), '  event_id?: string']
  const recordLines = members(schema.fields, '  ', recordType)
  return [
    '// Generated from the newest schema in this folder by `npm run generate`; do not edit.',
    '',
    `export interface ${schema.name} {`, ...eventLines, '}',
    '',
    `export interface ${schema.name}Record {`, ...recordLines, '}',
    ''
  ].join('\n')
}

type LeafType = (type: AvroType) => string

function members (fields: readonly AvroField[], indent: string, leaf: LeafType): string[] {
  return fields.flatMap((field) => {
    if (isRecord(field.type)) {
      return [`${indent}${field.name}: {`, ...members(field.type.fields, `${indent}  `, leaf), `${indent}}`]
    }
    const absent = leaf === eventType && 'default' in field ? '?' : ''
    return [`${indent}${field.name}${absent}: ${leaf(field.type)}`]
  })
}

function eventType (type: AvroType): string {
  return fieldShape(type).kind === 'instant' ? 'string' : valueType(type)
}

function recordType (type: AvroType): string {
  return valueType(type) + (fieldShape(type).optional ? ' | null' : '')
}

function valueType (type: AvroType): string {
  const { kind, symbols } = fieldShape(type)
  switch (kind) {
    case 'text': return 'string'
    case 'integer': case 'number': case 'instant': return 'number'
    case 'boolean': return 'boolean'
    case 'enum': return symbols.map((symbol) => `'${symbol}'`).join(' | ')
    case 'integer_or_text': return 'number | string'
  }
}
