/**
 * Records of a stream to bytes and back. Two framings tell a reader which schema wrote the bytes: Confluent's
 * (zero byte, schema id of the registry, 4 bytes big-endian) where a registry is configured, else Avro's
 * single-object encoding (C3 01, fingerprint of the schema, 8 bytes). Decoding understands both, and every
 * schema that the stream ever had; what cannot be decoded is a value, not an exception, since a consumer must
 * go on past it.
 */
import avro from 'avsc'
import { rabinFingerprint } from './fingerprint.ts'
import type { Resolver, Type } from 'avsc'
import type { AvroRecord } from './fields.ts'
import type { SchemaRegistry } from './schema-registry.ts'
import type { Stream } from './stream.ts'

const SINGLE_OBJECT_MARK = Buffer.from([0xc3, 0x01])
const SINGLE_OBJECT_HEADER_BYTES = 10
/** Not Avro's: no framing begins so. */
const REJECTED_MARK = Buffer.from([0xc3, 0x02])
const CONFLUENT_MARK = 0x00
const CONFLUENT_HEADER_BYTES = 5
/** Most records fit into it. */
const WORKSPACE_BYTES = 8 * 1024

export interface RecordEncoder<R> {
  /** The framed bytes of a record. Throws TypeError where it does not fit the stream's schema. */
  encode: (record: R) => Buffer
  /**
   * Bytes that this encoder wrote, with `change` made to their record; undefined leaves them as they are, and
   * so are bytes left that it did not write.
   */
  revise: (value: Buffer, change: (record: R) => R | undefined) => Buffer
}

export type UndecodableReason =
  | 'bad_framing' | 'unknown_schema' | 'incompatible_schema' | 'bad_bytes'
  /** Ingest had to take it, though it was no event of the stream. */
  | 'rejected_at_ingest'

/** What a route that must take everything was given instead of an event. */
export interface Rejected {
  /** What is wrong with it, for people. */
  detail: string
  /** What came, as text. */
  request: string
}

/** The bytes of something that is no event, for the log: it goes to the dead letters, with what came. */
export function encodeRejected (rejected: Rejected): Buffer {
  return Buffer.concat([REJECTED_MARK, Buffer.from(JSON.stringify(rejected))])
}

/** What `encodeRejected` was given, or undefined where these are no such bytes. */
export function decodeRejected (value: Buffer): Rejected | undefined {
  if (!value.subarray(0, REJECTED_MARK.length).equals(REJECTED_MARK)) return undefined
  try {
    return JSON.parse(value.toString('utf8', REJECTED_MARK.length)) as Rejected
  } catch {
    return undefined
  }
}

export type Decoded<R> =
  | { ok: true, record: R }
  | Undecodable

export interface Undecodable {
  ok: false
  reason: UndecodableReason
  detail: string
  /** Of `unknown_schema`: what the bytes call their schema. A newer release may know it. */
  schemaId?: string
}

export interface RecordDecoder<R> {
  /**
   * Decodes values in order, one result each; `unknownIds` are schemas to be taken for unknown, whether they
   * are or not. Throws RegistryError only where the registry has to be asked for a schema and does not
   * answer: the caller tries again, nothing is dropped.
   */
  decode: (values: readonly Buffer[], unknownIds?: readonly string[]) => Promise<Array<Decoded<R>>>
}

/** How the bytes of a schema are read: `read` throws where they are not a record of it. */
type Reader<R> = { read: (body: Buffer) => R } | Undecodable

/** An encoder of the stream's newest schema; registers it where there is a registry. Throws RegistryError. */
export async function createEncoder<E, R> (
  stream: Stream<E, R>, registry?: SchemaRegistry
): Promise<RecordEncoder<R>> {
  const type = avroType(stream.schema)
  const header = registry === undefined
    ? Buffer.concat([SINGLE_OBJECT_MARK, rabinFingerprint(type)])
    : confluentHeader(await registry.register(`${stream.topic}-value`, stream.schema))
  // How long a record is shows when it is encoded: here, and its bytes are copied once.
  const workspace = Buffer.allocUnsafeSlow(WORKSPACE_BYTES)
  header.copy(workspace)
  const encode = (record: R): Buffer => {
    const end = type.encode(record, workspace, header.length)
    // Negative where the workspace is too small.
    if (end < 0) return Buffer.concat([header, type.toBuffer(record)])
    return Buffer.from(workspace.subarray(0, end))
  }
  return {
    encode,
    revise: (value, change) => {
      if (!value.subarray(0, header.length).equals(header)) return value
      const revised = change(type.fromBuffer(value.subarray(header.length)) as R)
      return revised === undefined ? value : encode(revised)
    }
  }
}

/** A decoder of everything that was ever written to the stream's topic. */
export function createDecoder<E, R> (stream: Stream<E, R>, registry?: SchemaRegistry): RecordDecoder<R> {
  const newest = avroType(stream.schema)
  const readers = new Map<string, Reader<R>>()
  for (const schema of stream.schemas) {
    const writer = avroType(schema)
    readers.set(`fingerprint ${rabinFingerprint(writer).toString('hex')}`, resolvingReader<R>(newest, writer))
  }
  const readerOf = async (id: string): Promise<Reader<R>> => {
    const known = readers.get(id)
    if (known !== undefined) return known
    const schema = id.startsWith('id ') ? await registry?.schemaById(Number(id.slice(3))) : undefined
    if (schema === undefined) return unknownSchema(id)
    const reader = isNewer(schema, stream.schema) ? unknownSchema(id) : writtenReader<R>(newest, schema)
    readers.set(id, reader)
    return reader
  }
  return {
    decode: async (values, unknownIds = []) => {
      const frames = values.map(readFrame)
      const ids = new Set(frames.flatMap((frame) => frame === undefined ? [] : [frame.schemaId]))
      const byId = new Map(await Promise.all([...ids].map(async (id) => {
        return [id, unknownIds.includes(id) ? unknownSchema(id) : await readerOf(id)] as const
      })))
      return frames.map((frame, index) => {
        if (frame === undefined) return decodeUnframed(values[index] as Buffer)
        return decodeBody(byId.get(frame.schemaId) as Reader<R>, frame.body)
      })
    }
  }
}

interface Frame {
  /** `fingerprint <hex>` or `id <number>`. */
  schemaId: string
  body: Buffer
}

function readFrame (value: Buffer): Frame | undefined {
  if (value.length >= SINGLE_OBJECT_HEADER_BYTES && value.subarray(0, 2).equals(SINGLE_OBJECT_MARK)) {
    return {
      schemaId: `fingerprint ${value.toString('hex', 2, SINGLE_OBJECT_HEADER_BYTES)}`,
      body: value.subarray(SINGLE_OBJECT_HEADER_BYTES)
    }
  }
  if (value.length >= CONFLUENT_HEADER_BYTES && value[0] === CONFLUENT_MARK) {
    return { schemaId: `id ${value.readUInt32BE(1)}`, body: value.subarray(CONFLUENT_HEADER_BYTES) }
  }
  return undefined
}

function decodeUnframed<R> (value: Buffer): Decoded<R> {
  const rejected = decodeRejected(value)
  if (rejected === undefined) return { ok: false, reason: 'bad_framing', detail: 'no known framing' }
  return { ok: false, reason: 'rejected_at_ingest', detail: rejected.detail }
}

function decodeBody<R> (reader: Reader<R>, body: Buffer): Decoded<R> {
  if ('reason' in reader) return reader
  try {
    return { ok: true, record: reader.read(body) }
  } catch (error) {
    return { ok: false, reason: 'bad_bytes', detail: detailOf(error) }
  }
}

function unknownSchema (schemaId: string): Undecodable {
  return { ok: false, reason: 'unknown_schema', detail: `no schema with ${schemaId}`, schemaId }
}

/**
 * Whether a schema has a field or a symbol that this release does not know. Then it is a newer release's:
 * reading it here would drop the field.
 */
function isNewer (schema: object, newest: AvroRecord): boolean {
  const known = new Set(namesOf(newest))
  return namesOf(schema).some((name) => !known.has(name))
}

/** Every field and symbol in an Avro schema. */
function namesOf (schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(namesOf)
  if (typeof schema !== 'object' || schema === null) return []
  const { type, fields = [], symbols = [] } = schema as Partial<AvroRecord> & { symbols?: string[] }
  return [...fields.map(({ name }) => name), ...symbols, ...namesOf(fields), ...namesOf(type)]
}

/** A schema that came from outside may not parse at all, which says as little as one that does not fit. */
function writtenReader<R> (newest: Type, schema: object): Reader<R> {
  try {
    return resolvingReader(newest, avroType(schema as AvroRecord))
  } catch (error) {
    return { ok: false, reason: 'incompatible_schema', detail: detailOf(error) }
  }
}

function resolvingReader<R> (newest: Type, writer: Type): Reader<R> {
  const resolver: Resolver = newest.createResolver(writer)
  return { read: (body) => newest.fromBuffer(body, resolver) as R }
}

function confluentHeader (schemaId: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES)
  header.writeUInt32BE(schemaId, 1)
  return header
}

/** avsc reads a long's bytes before it asks for the next. */
const LONG_BYTES = Buffer.alloc(8)

/**
 * Longs as numbers, exact over all safe integers: avsc's own long goes through doubles and loses the sign
 * beyond 2^52. What lies outside is no number of ours, so reading it throws.
 */
const SAFE_LONG = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => {
    const value = Number(bytes.readBigInt64LE())
    if (!Number.isSafeInteger(value)) throw new RangeError('a long is outside the safe integers')
    return value
  },
  toBuffer: (value: number) => {
    LONG_BYTES.writeUInt32LE(value >>> 0)
    LONG_BYTES.writeInt32LE(Math.floor(value / 2 ** 32), 4)
    return LONG_BYTES
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: Number.isSafeInteger,
  compare: (left: number, right: number) => Math.sign(left - right)
})

function avroType (schema: AvroRecord): Type {
  const options = { omitRecordMethods: true, registry: { long: SAFE_LONG } }
  return avro.Type.forSchema(schema as never, options)
}

function detailOf (error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 256)
}
