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

/** What one type of interaction carries beside what all do: name on the wire to field of the stream. */
interface Form {
  type: InteractionType
  /** The type on the wire. */
  names: ReadonlyArray<number | string>
  required: Readonly<Record<string, FieldName>>
  optional: Readonly<Record<string, FieldName>>
  actions?: readonly string[]
}

const FORMS: readonly Form[] = [
  {
    type: 'click', names: [0, 'click'], required: { target: 'target', current_url: 'current_url' }, optional: {}
  },
  {
    type: 'url_change',
    names: [1, 'url-change', 'url_change'],
    required: { from: 'from_url', to: 'to_url' },
    optional: {}
  },
  {
    type: 'btn_time',
    names: [2, 'btn-time', 'btn_time'],
    required: { target: 'target', action: 'action' },
    optional: {},
    actions: ['hover-then-leave', 'hover-then-clicked', 'hover_then_leave', 'hover_then_clicked']
  },
  {
    type: 'funnel_change',
    names: [3, 'funnel-change', 'funnel_change'],
    required: { action: 'action', entered: 'entered' },
    optional: { from_stage: 'from_stage' },
    actions: ['onClick', 'onUrlChange']
  },
  {
    type: 'session_start',
    names: ['session-start', 'session_start'],
    required: {},
    optional: { device: 'device', browser: 'browser', os: 'os', referrer: 'referrer' }
  }
]

const FIELD_SCHEMAS = interactions.eventSchema['properties'] as Record<FieldName, JsonSchema>

/** One interaction on the wire, for documentation. */
export const INTERACTION_SCHEMA: JsonSchema = { oneOf: FORMS.map(formSchema) }
/** The name of an app, in the path. */
export const APP_SCHEMA = FIELD_SCHEMAS.app

interface CompiledForm extends Form {
  /** Pairs of name on the wire and field of the stream. */
  fields: ReadonlyArray<readonly [string, FieldName]>
  validate: Validator
}

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
    const fields = Object.entries({ ...form.required, ...form.optional })
    const compiled = { ...form, fields, validate: compileValidator(formSchema(form)) }
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
  return { path: '/type', code: 'wrong_type', message: 'must be integer,string' } as const
}

function toEvent (
  form: CompiledForm, wire: Record<string, unknown>, ms: number, { app, userAgent }: InteractionOrigin
): Interaction {
  const event: Partial<Record<FieldName, unknown>> = {
    timestamp: formatTime(ms),
    app,
    type: form.type,
    device_id: wire['device_id'],
    elapsed_time: wire['elapsed_time']
  }
  for (const [name, field] of form.fields) {
    const value = wire[name]
    if (value !== undefined) event[field] = field === 'action' ? (value as string).replaceAll('-', '_') : value
  }
  if (wire['event_id'] !== undefined) event.event_id = wire['event_id']
  const complete = form.type !== 'session_start' || (event.device && event.browser && event.os)
  return (complete ? event : { ...userAgent(), ...event }) as Interaction
}

function formSchema ({ names, required, optional, actions }: Form): JsonSchema {
  const own = Object.entries({ ...required, ...optional }).map(([name, field]) => {
    const schema = FIELD_SCHEMAS[field]
    return [name, field === 'action' ? { ...schema, enum: actions } : schema]
  })
  return {
    type: 'object',
    properties: {
      type: { enum: names },
      timestamp: { type: 'number', description: 'Milliseconds, or below 10^11 seconds, since 1970.' },
      device_id: FIELD_SCHEMAS.device_id,
      elapsed_time: FIELD_SCHEMAS.elapsed_time,
      event_id: FIELD_SCHEMAS.event_id,
      ...Object.fromEntries(own)
    },
    required: ['type', 'timestamp', 'device_id', 'elapsed_time', ...Object.keys(required)],
    additionalProperties: false
  }
}
