/**
 * Schemas as clients read them. Ours are draft 7 in Ajv's strict mode, with formats of our own; OpenAPI 3.1
 * has JSON Schema 2020-12 and one place for named schemas.
 */
import { EVENT_TIME_MS_MAX } from '../contract/index.ts'
import type { JsonSchema } from '../contract/index.ts'

/** Named schemas of a document. */
export type NamedSchemas = Record<string, object>

const PLACE = '#/components/schemas/'
/** RFC 3339 within the years that an event time may have. */
const EVENT_TIME = `^(19[7-9]\\d|20\\d{2}|210[0-${new Date(EVENT_TIME_MS_MAX).getUTCFullYear() % 10}])-`

const FORMATS: Record<string, JsonSchema> = {
  'storable-text': { pattern: '^[^\\u0000]*$' },
  'event-time': { format: 'date-time', pattern: EVENT_TIME }
}

/**
 * A copy of a schema for the document. What has a `title`, and what stands in `definitions`, goes into
 * `named` and is referred to. Throws where two different schemas have one title.
 */
export function publishSchema (schema: object, named: NamedSchemas): JsonSchema {
  const { title, definitions, discriminator, format, ...rest } = schema as JsonSchema
  for (const [name, definition] of Object.entries(definitions ?? {})) {
    addNamed(nameOf(name), publishSchema(definition as object, named), named)
  }
  const published: JsonSchema = { ...formatOf(format) }
  for (const [keyword, value] of Object.entries(rest)) {
    published[keyword] = publishKeyword(keyword, value, named)
  }
  if (title === undefined) return published
  return addNamed(title as string, published, named)
}

function publishKeyword (keyword: string, value: unknown, named: NamedSchemas): unknown {
  switch (keyword) {
    case '$ref': return `${PLACE}${nameOf((value as string).replace('#/definitions/', ''))}`
    case 'properties': return Object.fromEntries(Object.entries(value as Record<string, object>)
      .map(([name, schema]) => [name, publishSchema(schema, named)]))
    case 'anyOf': case 'oneOf': return (value as object[]).map((schema) => publishSchema(schema, named))
    case 'items': case 'not': case 'additionalProperties':
      return typeof value === 'object' && value !== null ? publishSchema(value, named) : value
    default: return value
  }
}

function formatOf (format: unknown): JsonSchema {
  if (format === undefined) return {}
  return FORMATS[format as string] ?? { format }
}

function addNamed (name: string, schema: JsonSchema, named: NamedSchemas): JsonSchema {
  const known = named[name]
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
    throw new Error(`Two different schemas have the title ${name}`)
  }
  named[name] = schema
  return { $ref: `${PLACE}${name}` }
}

/** `condition` is `Condition`. */
function nameOf (definition: string): string {
  return definition.charAt(0).toUpperCase() + definition.slice(1)
}
