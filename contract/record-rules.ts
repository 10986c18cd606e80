/**
 * What ingest asks of an event, asked of a decoded record: of the fields, limits and kinds that the schema of
 * requests is made of. Whatever came through ingest passes; a foreign producer's record need not. A test
 * holds both to the same verdicts.
 *
 * A release that makes a rule stricter finds the records of earlier ones wanting, in the log and in a
 * replay. Adding a field must not do that, so two things are forgiven: a field's default, and the absence of
 * a field that the first schema did not have.
 */
import { EVENT_ID_LENGTH_MAX, TEXT_LENGTH_MAX, textFault } from './text.ts'
import { isStorableTime } from './time.ts'
import { readPath } from './row.ts'
import type { EventKinds, KindFields } from './kinds.ts'
import type { Field } from './fields.ts'
import type { Row } from './row.ts'

/** What is wrong with a value; undefined where nothing is. */
type ValueRule = (value: unknown) => string | undefined
type RecordRule = (record: Row) => string | undefined

const OUTSIDE = 'is outside its range'

export interface RecordRulesOptions {
  /** Of the newest schema. */
  fields: readonly Field[]
  kinds: EventKinds | undefined
  /** Names of the fields that every schema of the stream has. */
  firstFields: ReadonlySet<string>
}

/** Compiles the rules of a stream: the first thing that is wrong with a record, for people, or undefined. */
export function recordRules ({ fields, kinds, firstFields }: RecordRulesOptions): RecordRule {
  const checks = fields.flatMap((field) => {
    const rule = valueRule(field)
    // Of one shape: every record passes here.
    return rule === undefined ? [] : [{ name: field.name, path: field.path, rule, default: field.default }]
  })
  const kindFault = kinds === undefined ? undefined : kindRule(fields, kinds, firstFields)
  return (record) => {
    for (const check of checks) {
      const value = readPath(record, check.path)
      // Avro has null in optional fields alone.
      if (value === null) continue
      const fault = check.rule(value)
      if (fault !== undefined && value !== check.default) return `${check.name} ${fault}`
    }
    return kindFault?.(record)
  }
}

/** Undefined where whatever Avro reads is right. */
function valueRule ({ name, kind, bits, envelope, minimum = -Infinity }: Field): ValueRule | undefined {
  const lengthMax = envelope && name === 'event_id' ? EVENT_ID_LENGTH_MAX : TEXT_LENGTH_MAX
  switch (kind) {
    case 'text': return (value) => textFault(value as string, lengthMax)
    case 'integer_or_text': return (value) => typeof value === 'string' ? textFault(value, lengthMax) : undefined
    case 'instant': return (value) => isStorableTime(value as number) ? undefined : OUTSIDE
    // JSON has no infinite numbers: null would be sent to ClickHouse, and stored as 0.
    case 'number': return (value) => {
      if (!Number.isFinite(value)) return 'is not a finite number'
      return value as number < minimum ? `is less than ${minimum}` : undefined
    }
    // Avro's int is a long on the wire.
    case 'integer': return bits === 64 ? undefined : (value) => isInt(value as number) ? undefined : OUTSIDE
    case 'boolean': case 'enum': return undefined
  }
}

function isInt (value: number): boolean {
  return value >= -(2 ** 31) && value < 2 ** 31
}

/** Which fields the kind of an event has, and which not. */
function kindRule (
  fields: readonly Field[], { by, fieldsOf }: EventKinds, firstFields: ReadonlySet<string>
): RecordRule {
  const optional = fields.filter((field) => field.optional && !field.envelope)
  const rules = new Map(Object.entries(fieldsOf).map(([symbol, kind]) => {
    return [symbol, optional.map((field) => {
      return { path: field.path, rule: fieldOfKindRule(field, kind, firstFields) }
    })]
  }))
  const byPath = fields.find(({ name }) => name === by)?.path ?? [by]
  return (record) => {
    const kind = readPath(record, byPath) as string
    for (const { path, rule } of rules.get(kind) ?? []) {
      const fault = rule(readPath(record, path))
      if (fault !== undefined) return `${path.join('.')} ${fault} in ${kind}`
    }
    return undefined
  }
}

function fieldOfKindRule (
  { name }: Field, { required, optional, symbols }: KindFields, firstFields: ReadonlySet<string>
): ValueRule {
  const isRequired = required.includes(name) && firstFields.has(name)
  const isKnown = required.includes(name) || optional.includes(name)
  const allowed = symbols?.[name]
  return (value) => {
    if (value === null) return isRequired ? 'is missing' : undefined
    if (!isKnown) return 'is not known'
    return allowed === undefined || allowed.includes(value as string) ? undefined : 'is not allowed'
  }
}
