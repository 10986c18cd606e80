/** What a client is told of the errors that Ajv found: the true fault, in words, with what is allowed. */
import type { ErrorCode, Fault } from '../contract/index.ts'

/** One error of Ajv. */
export interface SchemaFault {
  keyword: string
  instancePath: string
  params: Record<string, unknown>
  message?: string
}

/** What a failed keyword of a JSON Schema means to a client. */
const KEYWORD_CODES: Record<string, ErrorCode> = {
  required: 'missing_field',
  additionalProperties: 'unknown_field',
  type: 'wrong_type',
  minimum: 'out_of_range',
  maximum: 'out_of_range',
  enum: 'unknown_value',
  minLength: 'invalid_text',
  maxLength: 'invalid_text'
}

const FORMAT_MESSAGES: Record<string, string> = {
  'event-time': 'must be an RFC 3339 time with its offset, from 1970 to 2105, such as 2022-03-22T12:15:00.000Z',
  'storable-text': 'must be Unicode without NUL or half of a surrogate pair'
}

/** Of a choice between shapes, only what is wrong with the one that was meant. */
export function toFaults (schemaFaults: readonly SchemaFault[]): Fault[] {
  const choices = new Set(schemaFaults.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath))
  return [...choices].reduce(withoutChoice, schemaFaults).map(toFault)
}

export function toFault ({ keyword, instancePath, params, message }: SchemaFault): Fault {
  const member = params['missingProperty'] ?? params['additionalProperty']
  const path = member === undefined ? instancePath : `${instancePath}/${String(member).slice(0, 128)}`
  const text = messageOf(keyword, params) ?? message ?? keyword
  return { path: path === '' ? '/' : path, code: faultCode(keyword, params), message: text }
}

/**
 * A choice of shapes for the value at `path` fails once for each of them and once for itself. A shape that
 * the value does not have at all says nothing, where another one fails inside.
 */
function withoutChoice (faults: readonly SchemaFault[], path: string): readonly SchemaFault[] {
  const isOfShape = ({ instancePath, keyword }: SchemaFault) => instancePath === path && ['anyOf', 'type'].includes(keyword)
  const inside = faults.some((fault) => {
    return fault.instancePath.startsWith(`${path}/`) || (fault.instancePath === path && !isOfShape(fault))
  })
  const rest = faults.filter((fault) => !isOfShape(fault))
  if (inside) return rest
  const types = faults.filter((fault) => isOfShape(fault) && fault.keyword === 'type').map(({ params }) => params['type'])
  return [...rest, { keyword: 'type', instancePath: path, params: { type: types } }]
}

function messageOf (keyword: string, params: Record<string, unknown>): string | undefined {
  switch (keyword) {
    case 'format': return FORMAT_MESSAGES[String(params['format'])]
    case 'enum': return `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`
    case 'type': return `must be ${[params['type']].flat().join(' or ')}`
    case 'discriminator': return `${String(params['tag'])} must be one of those that the schema names`
    default: return undefined
  }
}

function faultCode (keyword: string, params: Record<string, unknown>): ErrorCode {
  if (keyword === 'format') return params['format'] === 'event-time' ? 'invalid_time' : 'invalid_text'
  return KEYWORD_CODES[keyword] ?? 'invalid_parameter'
}
