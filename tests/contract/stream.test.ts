import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, createDecoder, createEncoder, defineStream, formatTime, generateTypes,
  streams, userTags
} from '../../contract/index.ts'
import type { Envelope, Row, UserTag } from '../../contract/index.ts'
import type { AvroRecord } from '../../contract/fields.ts'

const POSITION = { partition: 3, offset: 2 ** 40, receivedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6) }

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 })
  .filter((value) => value.isWellFormed() && !value.includes('\0'))
const word = fc.oneof(text, fc.constantFrom('null', 'None', '___', ': | % & /', '"', "'", '\\N', '\t\n'))
const time = fc.tuple(
  fc.integer({ min: EVENT_TIME_MS_MIN, max: EVENT_TIME_MS_MAX }),
  fc.constantFrom(0, 1, 2, 3),
  fc.constantFrom('Z', 'z', '+02:00')
).map(([ms, places, zone]) => formatTime(ms).slice(0, places === 0 ? 19 : 20 + places) + zone)
const productId = fc.oneof(fc.maxSafeInteger(), word, fc.constantFrom('12486', '007', '1e3'))
const tag = fc.record<UserTag>({
  time,
  cookie: word,
  country: word,
  device: fc.constantFrom('PC', 'MOBILE', 'TV'),
  action: fc.constantFrom('VIEW', 'BUY'),
  origin: word,
  product_info: fc.record({
    product_id: productId,
    brand_id: word,
    category_id: word,
    price: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  })
})

/** A row as ClickHouse gives it back with date_time_output_format=iso: 64-bit integers are strings. */
function readBack (columns: Record<string, string>, row: Row): Row {
  const json = JSON.parse(JSON.stringify(row)) as Row
  return Object.fromEntries(Object.entries(columns).map(([name, type]) => {
    const value = json[name] ?? null
    if (value !== null && type.includes('DateTime64')) return [name, `${String(value).replace(' ', 'T')}Z`]
    return [name, value !== null && type.includes('Int64') ? String(value) : value]
  }))
}

const ENVELOPE: Envelope = { tenant: 'default', eventId: 'id-1', eventIdOrigin: 'SERVER' }

describe('user_tags', () => {
  test('gives back exactly what was sent, through record, bytes and row', async () => {
    const encoder = await createEncoder(userTags)
    const decoder = createDecoder(userTags)
    await fc.assert(fc.asyncProperty(tag, fc.option(word, { nil: undefined }), async (plain, eventId) => {
      const event: UserTag = eventId === undefined ? plain : { ...plain, event_id: eventId }
      const envelope: Envelope = eventId === undefined ? ENVELOPE : { ...ENVELOPE, eventId, eventIdOrigin: 'BODY' }
      const [decoded] = await decoder.decode([encoder.encode(userTags.toRecord(event, envelope))])
      if (decoded?.ok !== true) throw new Error(`undecodable: ${JSON.stringify(decoded)}`)
      const row = readBack(userTags.rawColumns, userTags.toRow(decoded.record, POSITION))
      expect(userTags.fromRow(row)).toEqual(event)
    }))
  })

  test('keeps the time to milliseconds, in the text that came', () => {
    const event = { ...fc.sample(tag, 1)[0] as UserTag, time: '2022-03-22T12:15:00.123456789Z' }
    const row = readBack(userTags.rawColumns, userTags.toRow(userTags.toRecord(event, ENVELOPE), POSITION))
    expect(userTags.fromRow(row).time).toBe('2022-03-22T12:15:00.123Z')
  })

  test('a row fills every column of its raw table, and none else', () => {
    fc.assert(fc.property(tag, (event) => {
      const row = userTags.toRow(userTags.toRecord(event, ENVELOPE), POSITION)
      expect(Object.keys(row).sort()).toEqual(Object.keys(userTags.rawColumns).sort())
      expect(row).toMatchObject({ _partition: 3, _offset: 2 ** 40, received_at: '2026-01-02 03:04:05.006' })
    }))
  })

  test('no two pairs of tenant and subject share a key', () => {
    const keyOf = (tenant: string, cookie: string) => {
      return userTags.recordKey({ cookie } as UserTag, tenant).toString('hex')
    }
    fc.assert(fc.property(word, word, word, word, (tenant, subject, otherTenant, otherSubject) => {
      const same = tenant === otherTenant && subject === otherSubject
      expect(keyOf(tenant, subject) === keyOf(otherTenant, otherSubject)).toBe(same)
    }))
    expect(keyOf('a', 'bc')).not.toBe(keyOf('ab', 'c'))
    expect(keyOf('a', '1:b')).not.toBe(keyOf('a1', ':b'))
  })

  test('an event with an invalid time makes no record', () => {
    expect(() => userTags.toRecord({ time: 'x' } as UserTag, ENVELOPE)).toThrow(TypeError)
  })
})

describe('every stream', () => {
  test.each(streams)('$name has types in step with its schema', ({ name, schema }) => {
    const file = new URL(`../../contract/streams/${name}/types.ts`, import.meta.url)
    expect(readFileSync(file, 'utf8')).toBe(generateTypes(schema))
  })

  test('has the same envelope', () => {
    const envelopes = streams.map(({ fields }) => fields.filter((field) => field.envelope))
    for (const envelope of envelopes) expect(envelope).toEqual(envelopes[0])
    expect(envelopes[0]?.map((field) => field.name)).toEqual(['time_text', 'event_id', 'event_id_origin', 'tenant'])
  })

  test('has its own name, topic and tables', () => {
    const tables = streams.flatMap(({ tables }) => Object.values(tables))
    expect(new Set(tables).size).toBe(tables.length)
    expect(new Set(streams.map((stream) => stream.topic)).size).toBe(streams.length)
  })

  test('documents every field', () => {
    for (const stream of streams) for (const field of stream.fields) expect(field.doc).toMatch(/\w.*\.$/)
  })
})

const SCHEMA: AvroRecord = {
  type: 'record',
  name: 'Thing',
  fields: [
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' }, doc: 'When.' },
    { name: 'who', type: 'string', doc: 'Who.' },
    { name: 'weight', type: ['null', 'double'], default: null, doc: 'Weight.' },
    { name: 'count', type: 'long', doc: 'Count.' },
    { name: 'open', type: 'boolean', doc: 'Open.' },
    ...userTags.schema.fields.filter((field) => field.envelope === true)
  ]
}
const DECLARATION = {
  name: 'things',
  schemas: [SCHEMA] as const,
  eventTime: 'at',
  subject: 'who',
  dimensions: [],
  measures: ['weight'],
  tables: { raw: 'things' },
  example: {}
}

describe('defineStream', () => {
  test.each([
    ['eventTime', 'nope'], ['subject', 'nope'], ['dimensions', ['nope']], ['measures', ['nope']]
  ])('refuses an unknown field in %s', (member, value) => {
    expect(() => defineStream({ ...DECLARATION, [member]: value })).toThrow('things has no field nope')
  })

  test('refuses two leaves of one name', () => {
    const inner: AvroRecord = { type: 'record', name: 'Inner', fields: [{ name: 'who', type: 'string', doc: 'Who.' }] }
    const schema = { ...SCHEMA, fields: [...SCHEMA.fields, { name: 'inner', type: inner, doc: 'Inner.' }] }
    expect(() => defineStream({ ...DECLARATION, schemas: [schema] })).toThrow('two fields are named who')
  })

  const KIND = { type: 'enum' as const, name: 'Kind', symbols: ['big', 'small'] }
  const KINDS_SCHEMA = { ...SCHEMA, fields: [...SCHEMA.fields, { name: 'kind', type: KIND, doc: 'Kind.' }] }
  test.each([
    ['a kind without a symbol', { big: ['weight'], small: [], other: [] }], ['a symbol without a kind', { big: ['weight'] }],
    ['an optional field in no kind', { big: [], small: [] }], ['an unknown field', { big: ['weight', 'nope'], small: [] }],
    ['a field that every kind has', { big: ['weight', 'count'], small: [] }]
  ])('refuses kinds with %s', (_what, required) => {
    const fieldsOf = Object.fromEntries(Object.entries<string[]>(required).map(([kind, names]) => {
      return [kind, { required: names, optional: [] }]
    }))
    expect(() => defineStream({ ...DECLARATION, schemas: [KINDS_SCHEMA], kinds: { by: 'kind', fieldsOf } }))
      .toThrow(/things: (fields of )?kinds are/)
  })

  test('derives columns, types and personal tables', () => {
    const things = defineStream({ ...DECLARATION, tables: { raw: 'things', bySubject: 'things_by_who' } })
    expect(things.personalTables).toEqual(['things', 'things_by_who'])
    expect(things.rawColumns).toMatchObject({
      at: "DateTime64(3, 'UTC')",
      who: 'String',
      weight: 'Nullable(Float64)',
      count: 'Int64',
      open: 'Bool',
      tenant: 'LowCardinality(String)',
      time_text: 'Nullable(String)'
    })
    expect(generateTypes(SCHEMA)).toContain('  weight?: number\n')
    expect(generateTypes(SCHEMA)).toContain('  weight: number | null\n')
  })

  test.each([{}, { weight: 0.5 }])('gives an event back with its optional fields %j', async (optional) => {
    const things = defineStream<Row, Row>(DECLARATION)
    const event = { at: '2026-01-01T00:00:00Z', who: 'x', count: 2 ** 53 - 1, open: false, ...optional }
    const bytes = (await createEncoder(things)).encode(things.toRecord(event, ENVELOPE))
    const [decoded] = await createDecoder(things).decode([bytes])
    if (decoded?.ok !== true) throw new Error('undecodable')
    expect(things.fromRow(readBack(things.rawColumns, things.toRow(decoded.record, POSITION)))).toEqual(event)
  })
})
