import { readFileSync } from 'node:fs'
import { checkKinds } from './kinds.ts'
import { eventSchema } from './http-schema.ts'
import { flattenFields } from './fields.ts'
import { fromRow, rawColumns, toRow } from './row.ts'
import { parseTime, timeTextToKeep } from './time.ts'
import { recordRules } from './record-rules.ts'
import type { AvroRecord, Field } from './fields.ts'
import type { EventKinds } from './kinds.ts'
import type { JsonSchema } from './http-schema.ts'
import type { RecordPosition, Row } from './row.ts'

/** What a stream's folder declares; everything else about the stream is derived from it. */
export interface StreamDeclaration {
  name: string
  /** Every schema that was ever written, oldest first; the newest one is written now. */
  schemas: readonly [AvroRecord, ...AvroRecord[]]
  /** Field that says when the event happened. */
  eventTime: string
  /** Field that says whose data the event is; erasure goes by it. */
  subject: string
  dimensions: readonly string[]
  measures: readonly string[]
  /** Kinds of event that carry different fields; without it each event may carry every field. */
  kinds?: EventKinds
  /** True: a key is needed for its routes even where the system runs open. */
  keyRequired?: true
  tables: {
    raw: string
    /** Copy ordered by subject; holds personal rows. */
    bySubject?: string
    /** Rollup by minute of event time; holds no subject. */
    byMinute?: string
    /** The same by hour, by minute and by millisecond, in one table: columns `unit` and `start`. */
    byTime?: string
  }
  /** Which retention the raw table has, where it is not that of raw tables. */
  rawRetention?: 'rollup'
  /** What the table by minute can answer: its columns are `minute`, these, `count`, and `sum_<measure>`. */
  rollup?: { dimensions: readonly string[], sums: readonly string[] }
  /** An event as a client sends it, for documentation. */
  example: Row
}

/** Who sent an event, and who named it. */
export interface Envelope {
  tenant: string
  eventId: string
  /** SPOOL: named by the server, and stored in the spool of ingest; it may be forwarded twice. */
  eventIdOrigin: 'SERVER' | 'BODY' | 'HEADER' | 'SPOOL'
}

/**
 * A stream: `E` is an event as clients send it (validated by `eventSchema`), `R` the Avro record.
 * Conversions outward (`toRecord` of a valid event, `toRow`, `fromRow`) are total.
 */
export interface Stream<E = Row, R = Row> extends StreamDeclaration {
  topic: string
  schema: AvroRecord
  fields: readonly Field[]
  eventSchema: JsonSchema
  rawColumns: Record<string, string>
  /** Tables that hold rows of a subject, and must be erased from. */
  personalTables: readonly string[]
  toRecord: (event: E, envelope: Envelope) => R
  /** What ingest would not have taken of a decoded record, for people; undefined where it is an event. */
  recordFault: (record: R) => string | undefined
  toRow: (record: R, position: RecordPosition) => Row
  fromRow: (row: Row) => E
  /** Key of the record in the log: one tenant's subject stays in one partition, in order. */
  recordKey: (event: E, tenant: string) => Buffer
}

/**
 * Derives a stream from its declaration. Throws where the declaration names a field that the schema lacks.
 */
export function defineStream<E extends object, R extends object> (
  declaration: StreamDeclaration
): Stream<E, R> {
  const schema = declaration.schemas[declaration.schemas.length - 1] as AvroRecord
  const fields = flattenFields(schema)
  const { eventTime, subject, dimensions, measures, tables } = declaration
  for (const name of [eventTime, subject, ...dimensions, ...measures]) {
    if (!fields.some((field) => field.name === name)) throw new Error(`${declaration.name} has no field ${name}`)
  }
  if (declaration.kinds !== undefined) checkKinds(declaration.name, declaration.kinds, fields)
  const firstFields = new Set(flattenFields(declaration.schemas[0]).map(({ name }) => name))
  const faultOf = recordRules({ fields, kinds: declaration.kinds, firstFields })
  return {
    ...declaration,
    topic: declaration.name,
    schema,
    fields,
    eventSchema: eventSchema(schema, declaration.kinds),
    rawColumns: rawColumns(fields, dimensions),
    personalTables: tables.bySubject === undefined ? [tables.raw] : [tables.raw, tables.bySubject],
    toRecord: (event, envelope) => toRecord(eventTime, event as Row, envelope) as R,
    recordFault: (record) => faultOf(record as Row),
    toRow: (record, position) => toRow(fields, record as Row, position),
    fromRow: (row) => fromRow(fields, eventTime, row) as E,
    recordKey: (event, tenant) => recordKey(tenant, (event as Row)[subject] as string)
  }
}

/** Reads an Avro schema that stands beside the module `moduleUrl`. */
export function readSchema (moduleUrl: string, fileName: string): AvroRecord {
  return JSON.parse(readFileSync(new URL(fileName, moduleUrl), 'utf8')) as AvroRecord
}

function toRecord (eventTime: string, event: Row, envelope: Envelope): Row {
  const text = event[eventTime] as string
  const ms = parseTime(text)
  if (ms === undefined) throw new TypeError(`${eventTime} is not a valid time: validate the event first`)
  return {
    ...event,
    [eventTime]: ms,
    time_text: timeTextToKeep(text),
    event_id: envelope.eventId,
    event_id_origin: envelope.eventIdOrigin,
    tenant: envelope.tenant
  }
}

/** What the event of a retried dead letter is named with, before the letter's id. */
export const RETRY_EVENT_ID_PREFIX = 'dead-letter:'

/**
 * The key of a subject's records in the log. The tenant's length comes first, so that no two pairs of tenant
 * and subject share a key.
 */
export function recordKey (tenant: string, subject: string): Buffer {
  return Buffer.from(`${tenant.length}:${tenant}${subject}`)
}
