import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENT_TIME_MS_MAX, defineStream, formatTime, readPath, streams } from '../../contract/index.ts'
import { compileValidator } from '../../http/index.ts'
import type { Field, Row, Stream } from '../../contract/index.ts'

const TEXTS = ['a', '🦔'.repeat(1024), 'a'.repeat(1024)]
const BAD_TEXTS = ['', '\0', '🦔'.repeat(1025), 'a'.repeat(3000)]
const INTEGERS = [0, 1, -5, 2 ** 31 - 1]

/** Values of a field: those that a client may send, and those that Avro can hold beside them. */
function valuesOf (field: Field): { good: unknown[], bad: unknown[] } {
  const absent = field.optional ? [null] : []
  switch (field.kind) {
    case 'text': return { good: [...TEXTS, ...absent], bad: BAD_TEXTS }
    case 'enum': return { good: [...field.symbols, ...absent], bad: [] }
    case 'boolean': return { good: [true, false], bad: [] }
    case 'integer': return { good: INTEGERS, bad: field.bits === 32 ? [2 ** 31, -(2 ** 40)] : [] }
    case 'integer_or_text': return { good: [...TEXTS, ...INTEGERS, ...absent], bad: BAD_TEXTS }
    case 'number': return { good: [0, 1.5, ...absent], bad: [-1] }
    case 'instant': return { good: [0, EVENT_TIME_MS_MAX], bad: [-1, EVENT_TIME_MS_MAX + 1] }
  }
}

function withLeaf (target: Row, [name, ...rest]: readonly string[], value: unknown): Row {
  const key = name as string
  return { ...target, [key]: rest.length === 0 ? value : withLeaf(target[key] as Row ?? {}, rest, value) }
}

/** The event as a client would send it; its id and tenant are the envelope's. */
function toEvent ({ fields }: Stream, record: Row): Row {
  return fields.filter(({ envelope }) => !envelope).reduce<Row>((event, { path, kind }) => {
    const value = readPath(record, path)
    if (value === null) return event
    return withLeaf(event, path, kind === 'instant' ? formatTime(value as number) : value)
  }, {})
}

/** Records of a stream of which most fields have a value that is right, for some kind of event. */
function arbitraryRecord ({ fields, kinds }: Stream): fc.Arbitrary<Row> {
  const kindsOf = kinds === undefined ? [undefined] : Object.entries(kinds.fieldsOf)
  return fc.constantFrom(...kindsOf).chain((kind) => {
    const leaves = fields.map((field) => {
      const { good, bad } = valuesOf(field)
      const any = fc.constantFrom(...good, ...bad)
      if (field.envelope) return fc.constant(field.optional ? null : field.symbols[0] ?? 'e')
      if (kind === undefined) return fc.oneof({ weight: 15, arbitrary: fc.constantFrom(...good) }, any)
      const [symbol, { required, optional, symbols }] = kind
      const isOwn = !field.optional || required.includes(field.name) || optional.includes(field.name)
      const own = good.filter((value) => (value !== null) === isOwn)
      const likely = field.name === kinds?.by ? [symbol] : symbols?.[field.name] ?? own
      return fc.oneof({ weight: 15, arbitrary: fc.constantFrom(...likely) }, any)
    })
    return fc.tuple(...leaves).map((values) => {
      return fields.reduce<Row>((record, { path }, index) => withLeaf(record, path, values[index]), {})
    })
  })
}

test.each(streams.map((stream) => [stream.name, stream] as const))(
  'a record of %s passes at the processors where its event passes at ingest, and only there', (_name, stream) => {
    const validate = compileValidator(stream.eventSchema)
    const passed = { yes: 0, no: 0 }
    fc.assert(fc.property(arbitraryRecord(stream), (record) => {
      const atIngest = validate(toEvent(stream, record))
      passed[atIngest === undefined ? 'yes' : 'no'] += 1
      expect(stream.recordFault(record) === undefined, JSON.stringify(atIngest)).toBe(atIngest === undefined)
    }), { numRuns: 1_000 })
    // Else it would prove nothing.
    expect(Math.min(passed.yes, passed.no)).toBeGreaterThan(20)
  })

const EXAMPLES = streams.map((stream) => {
  const envelope = { tenant: 'default', eventId: 'e', eventIdOrigin: 'SERVER' as const }
  const sent = stream.toRecord(stream.example, envelope)
  const record = stream.fields.reduce<Row>((whole, { path }) => {
    return withLeaf(whole, path, readPath(sent, path) ?? null)
  }, {})
  return [stream.name, stream, record] as const
})

test.each(EXAMPLES)('what no client can send beside the fields of %s is refused too', (_name, stream, record) => {
  expect(stream.recordFault(record)).toBeUndefined()
  expect(stream.recordFault({ ...record, event_id: 'i'.repeat(128) })).toBeUndefined()
  expect(stream.recordFault({ ...record, event_id: 'i'.repeat(129) })).toBe('event_id must not be longer than 128 characters')
  expect(stream.recordFault({ ...record, tenant: '' })).toBe('tenant must not be empty')
  expect(stream.recordFault({ ...record, time_text: '\0' })).toBe('time_text must be Unicode without NUL')
})

test('numbers that JSON has not are refused', () => {
  const [, stream, record] = EXAMPLES.find(([name]) => name === 'interactions') as typeof EXAMPLES[number]
  for (const seconds of [Infinity, -Infinity, NaN]) {
    expect(stream.recordFault({ ...record, elapsed_time: seconds })).toBe('elapsed_time is not a finite number')
  }
})

test('a field that a later release adds, even one that a kind must have, is not asked of what was written before', () => {
  const [, interactions, record] = EXAMPLES.find(([name]) => name === 'interactions') as typeof EXAMPLES[number]
  const schema = interactions.schema
  const added = [
    { name: 'session', type: ['null' as const, 'string' as const], default: null, doc: 'new' },
    { name: 'screen', type: 'string' as const, default: '', doc: 'new' }
  ]
  const kinds = interactions.kinds as NonNullable<Stream['kinds']>
  const { funnel_change: funnel } = kinds.fieldsOf
  const required = [...funnel?.required ?? [], 'session']
  const fieldsOf = { ...kinds.fieldsOf, funnel_change: { ...funnel, required } }
  const later = defineStream<Row, Row>({
    ...interactions,
    schemas: [schema, { ...schema, fields: [...schema.fields, ...added] }],
    kinds: { by: kinds.by, fieldsOf: fieldsOf as NonNullable<Stream['kinds']>['fieldsOf'] }
  })
  expect(later.recordFault({ ...record, session: null, screen: '' })).toBeUndefined()
  expect(later.recordFault({ ...record, session: '', screen: '' })).toBe('session must not be empty')
  expect(later.recordFault({ ...record, session: 's', screen: 'x'.repeat(1025) })).toMatch(/^screen must not be longer/)
})
