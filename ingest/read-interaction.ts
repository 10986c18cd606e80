/**
 * Interactions as trackers send them to `/interactions/{app}`: numbers for types, epoch times, other names
 * for some fields, and a form for each type. Read into the stream's own events.
 */
import { formatTime, fromEpoch, interactions } from '../contract/index.ts'
import { compileValidator } from '../http/index.ts'
import { BROKEN_LINE } from './event-batch.ts'
import { BROKEN_LINE_FAULT } from './event-reader.ts'
import type { Interaction, JsonSchema } from '../contract/index.ts'
import type { Validator } from '../http/index.ts'
import type { EventReader, ReadEvent } from './event-reader.ts'
import type { UserAgent } from './user-agent.ts'

type InteractionType = Interaction['type']
type FieldName = keyof Interaction

/** One type of interaction as it stands on the wire: the stream's own kind, with other names. */
interface Form {
  type: InteractionType
  /** The type on the wire. */
  names: ReadonlyArray<number | string>
  schema: JsonSchema
  /** Pairs of name on the wire and field of the stream, beside what is translated. */
  fields: ReadonlyArray<readonly [string, FieldName]>
}

interface CompiledForm extends Form {
  validate: Validator
}

/** Types that have a number on the wire. */
const NUMBERS: Partial<Record<InteractionType, number>> = {
  click: 0, url_change: 1, btn_time: 2, funnel_change: 3
}
/** Fields that have another name on the wire. */
const WIRE_NAMES: Partial<Record<FieldName, string>> = { from_url: 'from', to_url: 'to' }
/** Fields that come from elsewhere than the field of their name, or in another form. */
const TRANSLATED: ReadonlySet<string> = new Set(['app', 'type', 'timestamp'])

const FORMS = (interactions.eventSchema['oneOf'] as JsonSchema[]).map(formOf)

/** One interaction on the wire, for documentation. */
export const INTERACTION_SCHEMA: JsonSchema = {
  title: 'TrackedInteraction', oneOf: FORMS.map(({ schema }) => schema)
}
export const INTERACTION_EXAMPLE = {
  type: 'funnel-change',
  timestamp: 1647951300000,
  device_id: 'd1',
  elapsed_time: 12.5,
  action: 'onClick',
  entered: 'checkout'
}
/** The name of an app, in the path. */
export const APP_SCHEMA = kindProperties((interactions.eventSchema['oneOf'] as JsonSchema[])[0] as JsonSchema).app

/** Of the request that an interaction came with. */
export interface InteractionOrigin {
  app: string
  /** Asked only where a session's start leaves something out. */
  userAgent: () => UserAgent
}

/** Compiles the forms once; the result reads the interactions of one request. */
export function createInteractionReader (): (origin: InteractionOrigin) => EventReader<Interaction> {
  const forms = new Map<unknown, CompiledForm>()
  for (const form of FORMS) {
    const compiled = { ...form, validate: compileValidator(form.schema) }
    for (const name of form.names) forms.set(name, compiled)
  }
  return (origin) => (item) => readItem(forms, origin, item)
}

function readItem (
  forms: ReadonlyMap<unknown, CompiledForm>, origin: InteractionOrigin, item: unknown
): ReadEvent<Interaction> {
  if (item === BROKEN_LINE) return { fault: BROKEN_LINE_FAULT }
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return { fault: { path: '/', code: 'wrong_type', message: 'must be object' } }
  }
  const wire = item as Record<string, unknown>
  const form = forms.get(wire['type'])
  if (form === undefined) return { fault: typeFault(wire['type']) }
  const fault = form.validate(wire)
  if (fault !== undefined) return { fault }
  const ms = fromEpoch(wire['timestamp'] as number)
  if (ms === undefined) {
    return { fault: { path: '/timestamp', code: 'out_of_range', message: 'must be from 1970 to 2105' } }
  }
  return { event: toEvent(form, wire, ms, origin) }
}

function typeFault (type: unknown) {
  if (type === undefined) {
    return { path: '/type', code: 'missing_field', message: "must have required property 'type'" } as const
  }
  if (typeof type === 'number' || typeof type === 'string') {
    return { path: '/type', code: 'unknown_value', message: 'must be 0 to 3 or the name of a type' } as const
  }
  return { path: '/type', code: 'wrong_type', message: 'must be integer or string' } as const
}

function toEvent (
  form: CompiledForm, wire: Record<string, unknown>, ms: number, { app, userAgent }: InteractionOrigin
): Interaction {
  const event: Partial<Record<FieldName, unknown>> = { timestamp: formatTime(ms), app, type: form.type }
  for (const [name, field] of form.fields) {
    const value = wire[name]
    if (value !== undefined) event[field] = field === 'action' ? (value as string).replaceAll('-', '_') : value
  }
  const complete = form.type !== 'session_start' || (event.device && event.browser && event.os)
  return (complete ? event : { ...userAgent(), ...event }) as Interaction
}

/** The form on the wire of a kind of the stream, by the kind's schema. */
function formOf (kindSchema: JsonSchema): Form {
  const properties = kindProperties(kindSchema)
  const [type] = properties.type['enum'] as [InteractionType]
  const required = (kindSchema['required'] as FieldName[]).filter((field) => field !== 'app')
  const fields = Object.keys(properties).filter((field) => !TRANSLATED.has(field))
    .map((field) => [wireName(field as FieldName), field as FieldName] as const)
  const names = [NUMBERS[type] ?? [], withHyphens(type), type].flat()
  const own = fields.map(([name, field]) => {
    const schema = properties[field]
    return [name, field === 'action' ? { ...schema, enum: eitherWay(schema['enum'] as string[]) } : schema]
  })
  return {
    type,
    names: [...new Set(names)],
    fields,
    schema: {
      type: 'object',
      properties: {
        type: { enum: [...new Set(names)], description: 'Kind of interaction, by number or by name.' },
        timestamp: { type: 'number', description: 'Milliseconds, or below 10^11 seconds, since 1970.' },
        ...Object.fromEntries(own)
      },
      required: required.map(wireName),
      additionalProperties: false
    }
  }
}

function kindProperties (kindSchema: JsonSchema): Record<FieldName, JsonSchema> {
  return kindSchema['properties'] as Record<FieldName, JsonSchema>
}

function wireName (field: FieldName): string {
  return WIRE_NAMES[field] ?? field
}

/** Trackers write names with hyphens; with underscores they are taken too. */
function eitherWay (symbols: readonly string[]): string[] {
  return [...new Set([...symbols.map(withHyphens), ...symbols])]
}

function withHyphens (symbol: string): string {
  return symbol.replaceAll('_', '-')
}
