import type { Field } from './fields.ts'
import { formatTime } from './time.ts'

/** A row of a stream's raw table as JSONEachRow takes it: column name to value. */
export type Row = Record<string, unknown>

/** Where in the log a record stands, and when it was accepted. */
export interface RecordPosition {
  partition: number
  offset: number
  /** Epoch milliseconds at which ingest accepted the event: the record's timestamp in the log. */
  receivedAtMs: number
}

/** Columns that every raw table has beside its stream's fields. */
export const POSITION_COLUMNS = {
  received_at: "DateTime64(3, 'UTC')",
  _partition: 'UInt32',
  _offset: 'UInt64'
} as const

/** Suffix of the column that remembers whether an integer-or-text value came as a JSON number. */
const IS_NUMBER = '_is_number'

/** The columns of a stream's raw table, name to ClickHouse type; `dimensions` are dictionary-encoded. */
export function rawColumns (fields: readonly Field[], dimensions: readonly string[]): Record<string, string> {
  const columns: Record<string, string> = {}
  for (const field of fields) {
    columns[field.name] = columnType(field, dimensions.includes(field.name))
    if (field.kind === 'integer_or_text') columns[field.name + IS_NUMBER] = 'Bool'
  }
  return { ...columns, ...POSITION_COLUMNS }
}

/** The row of one decoded record. Total: every record of the stream's schema has a row. */
export function toRow (fields: readonly Field[], record: Row, position: RecordPosition): Row {
  const row: Row = {}
  for (const field of fields) {
    const value = readPath(record, field.path)
    if (field.kind === 'integer_or_text') {
      row[field.name] = value === null ? null : String(value)
      row[field.name + IS_NUMBER] = typeof value === 'number'
    } else if (field.kind === 'instant' && value !== null) {
      row[field.name] = toDateTime(value as number)
    } else {
      row[field.name] = value
    }
  }
  row['received_at'] = toDateTime(position.receivedAtMs)
  row['_partition'] = position.partition
  row['_offset'] = position.offset
  return row
}

/**
 * The event as its client sent it, from a row read with `date_time_output_format=iso`: same fields, same JSON
 * types, the same text of the event time, and `event_id` where it was in the body.
 */
export function fromRow (fields: readonly Field[], eventTime: string, row: Row): Row {
  const event: Row = {}
  for (const field of fields) {
    if (field.envelope) continue
    const value = row[field.name]
    if (value === null && field.optional) continue
    writePath(event, field.path, fieldValue(field, row, eventTime))
  }
  if (row['event_id_origin'] === 'BODY') event['event_id'] = row['event_id']
  return event
}

function fieldValue (field: Field, row: Row, eventTime: string): unknown {
  const value = row[field.name]
  if (field.kind === 'integer_or_text') return row[field.name + IS_NUMBER] === true ? Number(value) : value
  if (field.name === eventTime) return row['time_text'] ?? value
  if (field.kind === 'integer') return Number(value)
  return value
}

function columnType (field: Field, dimension: boolean): string {
  const type = baseColumnType(field)
  const nullable = field.optional ? `Nullable(${type})` : type
  return dimension || field.kind === 'enum' || field.name === 'tenant' ? `LowCardinality(${nullable})` : nullable
}

function baseColumnType (field: Field): string {
  switch (field.kind) {
    case 'text': case 'enum': case 'integer_or_text': return 'String'
    case 'instant': return "DateTime64(3, 'UTC')"
    case 'integer': return field.bits === 32 ? 'Int32' : 'Int64'
    case 'number': return 'Float64'
    case 'boolean': return 'Bool'
  }
}

/** ClickHouse's own text of a DateTime64(3): `YYYY-MM-DD hh:mm:ss.mmm`, UTC. */
export function toDateTime (ms: number): string {
  return formatTime(ms).slice(0, 23).replace('T', ' ')
}

/** The value of one leaf of a decoded record. */
export function readPath (record: Row, path: readonly string[]): unknown {
  let value: unknown = record
  for (const name of path) value = (value as Row)[name]
  return value
}

function writePath (target: Row, path: readonly string[], value: unknown): void {
  let node = target
  for (const name of path.slice(0, -1)) node = (node[name] ??= {}) as Row
  node[path[path.length - 1] as string] = value
}
