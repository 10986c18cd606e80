/**
 * The part of Avro that streams are written in, and the flat list of fields that everything else is derived
 * from: the HTTP schema, the row, the columns of the tables, the types. Leaf names are unique in a stream, so
 * a nested record becomes flat columns without prefixes.
 */
export type AvroType =
  | 'string' | 'int' | 'long' | 'double' | 'boolean' | 'null'
  | { type: 'long', logicalType: 'timestamp-millis' }
  | { type: 'enum', name: string, symbols: string[] }
  | AvroRecord
  | AvroType[]

export interface AvroField {
  name: string
  type: AvroType
  doc: string
  default?: unknown
  /** Least value of a number. */
  minimum?: number
  /** True for what millrace adds to the client's event. */
  envelope?: boolean
}

export interface AvroRecord {
  type: 'record'
  name: string
  namespace?: string
  doc?: string
  fields: AvroField[]
}

export type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'enum' | 'instant' | 'integer_or_text'

/** One leaf of a stream's schema. */
export interface Field {
  name: string
  path: readonly string[]
  kind: FieldKind
  /** Bits of an integer: 32 or 64. */
  bits: 32 | 64
  symbols: readonly string[]
  optional: boolean
  envelope: boolean
  /** Least value of a number. */
  minimum?: number
  /** What the schema has for records of earlier ones; undefined where it has nothing. */
  default?: unknown
  doc: string
}

/**
 * The leaves of a record, depth first, in the order of the schema. Throws where a leaf's name stands twice.
 */
export function flattenFields (record: AvroRecord): Field[] {
  const fields = flatten(record, [], false)
  const names = new Set<string>()
  for (const field of fields) {
    if (names.has(field.name)) throw new Error(`${record.name}: two fields are named ${field.name}`)
    names.add(field.name)
  }
  return fields
}

/** What a field's Avro type means, without the null of an optional one. */
export function fieldShape (type: AvroType): Pick<Field, 'kind' | 'bits' | 'symbols' | 'optional'> {
  if (Array.isArray(type)) {
    const branches = type.filter((branch) => branch !== 'null')
    const optional = branches.length < type.length
    if (branches.length === 2 && branches.includes('long') && branches.includes('string')) {
      return { kind: 'integer_or_text', bits: 64, symbols: [], optional }
    }
    if (branches.length !== 1) throw new Error(`Unsupported union ${JSON.stringify(type)}`)
    return { ...fieldShape(branches[0] as AvroType), optional }
  }
  const plain = { bits: 64 as const, symbols: [], optional: false }
  if (type === 'string') return { kind: 'text', ...plain }
  if (type === 'int') return { kind: 'integer', ...plain, bits: 32 }
  if (type === 'long') return { kind: 'integer', ...plain }
  if (type === 'double') return { kind: 'number', ...plain }
  if (type === 'boolean') return { kind: 'boolean', ...plain }
  if (typeof type === 'object' && type.type === 'long') return { kind: 'instant', ...plain }
  if (typeof type === 'object' && type.type === 'enum') return { kind: 'enum', ...plain, symbols: type.symbols }
  throw new Error(`Unsupported Avro type ${JSON.stringify(type)}`)
}

export function isRecord (type: AvroType): type is AvroRecord {
  return typeof type === 'object' && !Array.isArray(type) && type.type === 'record'
}

function flatten (record: AvroRecord, prefix: readonly string[], envelope: boolean): Field[] {
  return record.fields.flatMap((field) => {
    const path = [...prefix, field.name]
    const inEnvelope = envelope || field.envelope === true
    if (isRecord(field.type)) return flatten(field.type, path, inEnvelope)
    return [{
      name: field.name,
      path,
      ...fieldShape(field.type),
      envelope: inEnvelope,
      ...(field.minimum === undefined ? {} : { minimum: field.minimum }),
      ...(field.default === undefined ? {} : { default: field.default }),
      doc: field.doc
    }]
  })
}
