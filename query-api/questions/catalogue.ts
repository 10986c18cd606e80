import { streams } from '../../contract/index.ts'
import type { Field, Stream } from '../../contract/index.ts'
import type { MeasureFunction, Operator } from './question.ts'

const EQUALITY: readonly Operator[] = ['=', '!=', 'in', 'not_in']
const ORDER: readonly Operator[] = ['<', '<=', '>', '>=']
const TEXT: readonly Operator[] = [...EQUALITY, ...ORDER, 'contains', 'starts_with']

const OPERATORS_OF: Record<Field['kind'], readonly Operator[]> = {
  text: TEXT,
  integer_or_text: TEXT,
  enum: EQUALITY,
  boolean: ['=', '!='],
  integer: [...EQUALITY, ...ORDER],
  number: ORDER,
  instant: ORDER
}

/** What one may ask of a stream; the body of `GET /streams` is a list of these. */
export interface CatalogueStream {
  name: string
  description: string
  /** Field that `time` is about. */
  event_time: string
  /** Field that says whose data an event is. */
  subject: string
  fields: CatalogueField[]
  dimensions: readonly string[]
  measures: readonly string[]
  tables: CatalogueTable[]
  rollup: { dimensions: readonly string[], sums: readonly string[] } | null
}

export interface CatalogueField {
  name: string
  type: Field['kind']
  description: string
  optional: boolean
  /** True for the field that identifies a person. */
  personal: boolean
  symbols: readonly string[]
  operators: readonly Operator[]
  groupable: boolean
  functions: readonly MeasureFunction[]
}

export interface CatalogueTable {
  name: string
  kind: 'raw' | 'by_subject' | 'by_minute' | 'by_time'
  personal: boolean
  /** Days after arrival at which rows leave. */
  retention_days: number
}

export interface RetentionDays {
  raw: number
  bySubject: number
  rollup: number
}

/** The stream of this name, if there is one. */
export function streamOf (name: string): Stream | undefined {
  return streams.find((stream) => stream.name === name)
}

/** The client's own field of this name; what the envelope adds cannot be asked about. */
export function fieldOf (stream: Stream, name: string): Field | undefined {
  return askable(stream).find((field) => field.name === name)
}

export function operatorsOf (field: Field): readonly Operator[] {
  return OPERATORS_OF[field.kind]
}

/** Groups are equal values: instants go by buckets, and two measured numbers are hardly ever equal. */
export function isGroupable (field: Field): boolean {
  return field.kind !== 'instant' && field.kind !== 'number'
}

/** What can be computed of a field. */
export function functionsOf (stream: Stream, field: Field): MeasureFunction[] {
  const functions: MeasureFunction[] = []
  if (stream.measures.includes(field.name)) functions.push('sum', 'avg', 'min', 'max', 'quantile')
  if (field.kind === 'instant') functions.push('min', 'max')
  if (isGroupable(field)) functions.push('uniq', 'uniq_approx')
  return functions
}

/** Every stream, as its definition declares it. */
export function catalogue (retentionDays: RetentionDays): CatalogueStream[] {
  return streams.map((stream) => ({
    name: stream.name,
    description: stream.schema.doc ?? '',
    event_time: stream.eventTime,
    subject: stream.subject,
    fields: askable(stream).map((field) => ({
      name: field.name,
      type: field.kind,
      description: field.doc,
      optional: field.optional,
      personal: field.name === stream.subject,
      symbols: field.symbols,
      operators: operatorsOf(field),
      groupable: isGroupable(field),
      functions: functionsOf(stream, field)
    })),
    dimensions: stream.dimensions,
    measures: stream.measures,
    tables: tablesOf(stream, retentionDays),
    rollup: stream.rollup ?? null
  }))
}

function askable (stream: Stream): Field[] {
  return stream.fields.filter((field) => !field.envelope)
}

function tablesOf ({ tables, rawRetention }: Stream, days: RetentionDays): CatalogueTable[] {
  const { raw, bySubject, byMinute, byTime } = tables
  const list: CatalogueTable[] = [
    { name: raw, kind: 'raw', personal: true, retention_days: days[rawRetention ?? 'raw'] }
  ]
  if (bySubject !== undefined) {
    list.push({ name: bySubject, kind: 'by_subject', personal: true, retention_days: days.bySubject })
  }
  if (byMinute !== undefined) {
    list.push({ name: byMinute, kind: 'by_minute', personal: false, retention_days: days.rollup })
  }
  if (byTime !== undefined) {
    list.push({ name: byTime, kind: 'by_time', personal: false, retention_days: days.rollup })
  }
  return list
}
