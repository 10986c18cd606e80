import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  RegistryError, connectSchemaRegistry, createDecoder, createEncoder, defineStream, encodeRejected, userTags
} from '../../contract/index.ts'
import { fingerprintOf } from '../../contract/fingerprint.ts'
import { startRegistryDouble } from '../support/schema-registry.ts'
import type { UserTag, UserTagRecord } from '../../contract/index.ts'
import type { RegistryDouble } from '../support/schema-registry.ts'

const event: UserTag = {
  time: '2022-03-22T12:15:00.000Z',
  cookie: 'c1',
  country: 'CL',
  device: 'PC',
  action: 'VIEW',
  origin: 'CAMPAIGN_321',
  product_info: { product_id: 12486, brand_id: 'Ebros_Gift', category_id: 'Trousers', price: 28969 }
}
const record = recordOf(event)

function recordOf (tag: UserTag): UserTagRecord {
  return userTags.toRecord(tag, { tenant: 'default', eventId: 'e1', eventIdOrigin: 'SERVER' })
}

test('fingerprints are those of the Avro specification', () => {
  expect(fingerprintOf('"null"').readBigInt64LE()).toBe(7195948357588979594n)
  expect(fingerprintOf('"int"').readBigInt64LE()).toBe(8247732601305521295n)
})

describe('single-object encoding', () => {
  test('starts with C3 01 and gives the record back', async () => {
    const bytes = (await createEncoder(userTags)).encode(record)
    expect([...bytes.subarray(0, 2)]).toEqual([0xc3, 0x01])
    expect(await createDecoder(userTags).decode([bytes])).toEqual([{ ok: true, record }])
  })

  test('product_id keeps its JSON type', async () => {
    const encoder = await createEncoder(userTags)
    const decoder = createDecoder(userTags)
    const productIds = fc.oneof(fc.maxSafeInteger(), fc.string({ minLength: 1, unit: 'grapheme' }))
    await fc.assert(fc.asyncProperty(productIds, async (productId) => {
      const tag = { ...event, product_info: { ...event.product_info, product_id: productId } }
      const [decoded] = await decoder.decode([encoder.encode(recordOf(tag))])
      expect(decoded).toMatchObject({ ok: true, record: { product_info: { product_id: productId } } })
    }))
  })

  test('a revised record differs in what was changed, and bytes of another writer stay as they are', async () => {
    const encoder = await createEncoder(userTags)
    const bytes = encoder.encode(record)
    const revised = encoder.revise(bytes, (found) => ({ ...found, event_id_origin: 'SPOOL' }))
    expect(await createDecoder(userTags).decode([revised]))
      .toEqual([{ ok: true, record: { ...record, event_id_origin: 'SPOOL' } }])
    expect(encoder.revise(bytes, () => undefined)).toBe(bytes)
    const rejected = encodeRejected({ detail: 'no event', request: 'GET /' })
    expect(encoder.revise(rejected, (found) => ({ ...found, cookie: 'other' }))).toBe(rejected)
  })

  test('random and damaged bytes are values with a reason, and their neighbours decode', async () => {
    const encoder = await createEncoder(userTags)
    const decoder = createDecoder(userTags)
    const good = encoder.encode(record)
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc.nat(good.length - 1).map((length) => good.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 8 }).map((tail) => Buffer.concat([good, tail])),
      fc.constant(Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.alloc(8), good.subarray(10)]))
    )
    await fc.assert(fc.asyncProperty(damaged, async (bytes) => {
      const decoded = await decoder.decode([good, bytes, good])
      expect(decoded.map((result) => result.ok)).toEqual([true, false, true])
    }))
  })

  test('each way to be undecodable has its own reason', async () => {
    const good = (await createEncoder(userTags)).encode(record)
    const unknown = Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.alloc(8), good.subarray(10)])
    const decoded = await createDecoder(userTags).decode([
      Buffer.from('{"time":1}'), unknown, good.subarray(0, -1), Buffer.from([0, 0, 0, 0, 7, 1])
    ])
    expect(decoded.map((result) => result.ok ? 'ok' : result.reason))
      .toEqual(['bad_framing', 'unknown_schema', 'bad_bytes', 'unknown_schema'])
  })
})

test('a schema that is named as unknown is unknown, though it could be read', async () => {
  const bytes = (await createEncoder(userTags)).encode(record)
  const other = Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.alloc(8), Buffer.from('?')])
  const decoder = createDecoder(userTags)
  const [unknown] = await decoder.decode([other])
  expect(unknown).toMatchObject({ ok: false, reason: 'unknown_schema', schemaId: 'fingerprint 0000000000000000' })
  const id = `fingerprint ${bytes.toString('hex', 2, 10)}`
  expect(await decoder.decode([bytes], [id])).toEqual([
    { ok: false, reason: 'unknown_schema', detail: `no schema with ${id}`, schemaId: id }
  ])
})

test('records of an older schema are read with the defaults of the newer one', async () => {
  const added = { name: 'note', type: ['null', 'string'], default: null, doc: 'New.' }
  const fields = [...userTags.schema.fields, added]
  const newer = { ...userTags.schema, fields } as typeof userTags.schema
  const upgraded = defineStream<UserTag, UserTagRecord>({ ...userTags, schemas: [userTags.schema, newer] })
  const old = (await createEncoder(userTags)).encode(record)
  const decoded = await createDecoder(upgraded).decode([old])
  expect(decoded).toEqual([{ ok: true, record: { ...record, note: null } }])
})

describe('Confluent framing', () => {
  let double: RegistryDouble
  beforeEach(async () => { double = await startRegistryDouble() })
  afterEach(async () => { await double.close() })

  test('starts with a zero byte and the id, and a reader fetches the schema once', async () => {
    const registry = connectSchemaRegistry(double.url)
    await registry.register('other-value', { type: 'string' })
    const bytes = (await createEncoder(userTags, registry)).encode(record)
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, 2])
    expect(double.requests).toContain('POST /subjects/user_tags-value/versions')
    const decoder = createDecoder(userTags, registry)
    expect(await decoder.decode([bytes, bytes])).toEqual([{ ok: true, record }, { ok: true, record }])
    await decoder.decode([bytes])
    expect(double.requests.filter((request) => request === 'GET /schemas/ids/2')).toHaveLength(1)
  })

  test('records written before the registry was there are still read', async () => {
    const bytes = (await createEncoder(userTags)).encode(record)
    const decoder = createDecoder(userTags, connectSchemaRegistry(double.url))
    expect(await decoder.decode([bytes])).toEqual([{ ok: true, record }])
  })

  test('an unknown id and a schema that does not fit are values with a reason', async () => {
    const registry = connectSchemaRegistry(double.url)
    const id = await registry.register('user_tags-value', { type: 'record', name: 'Other', fields: [] })
    const decoded = await createDecoder(userTags, registry).decode([
      Buffer.from([0, 0, 0, 0, 99, 1]), Buffer.from([0, 0, 0, 0, id, 1])
    ])
    expect(decoded.map((result) => result.ok ? 'ok' : result.reason))
      .toEqual(['unknown_schema', 'incompatible_schema'])
  })

  test('what a newer release wrote is unknown to this one, not stripped of what is new', async () => {
    const registry = connectSchemaRegistry(double.url)
    const added = { name: 'note', type: ['null', 'string'], default: null, doc: 'New.' }
    const newer = { ...userTags.schema, fields: [...userTags.schema.fields, added] } as typeof userTags.schema
    const upgraded = defineStream<UserTag, UserTagRecord>({ ...userTags, schemas: [userTags.schema, newer] })
    const bytes = (await createEncoder(upgraded, registry)).encode({ ...record, note: 'new' } as UserTagRecord)
    const [decoded] = await createDecoder(userTags, registry).decode([bytes])
    expect(decoded).toMatchObject({ ok: false, reason: 'unknown_schema', schemaId: expect.stringMatching(/^id \d+$/) })
    const [read] = await createDecoder(upgraded, registry).decode([bytes])
    expect(read).toEqual({ ok: true, record: { ...record, note: 'new' } })
  })

  test('a registry that does not answer is a retryable error, not a dead letter', async () => {
    const registry = connectSchemaRegistry(double.url)
    const bytes = (await createEncoder(userTags, registry)).encode(record)
    const decoder = createDecoder(userTags, registry)
    double.failWith = 503
    await expect(decoder.decode([bytes])).rejects.toMatchObject({ code: 'registry_unavailable', retryable: true })
    double.failWith = 0
    expect(await decoder.decode([bytes])).toEqual([{ ok: true, record }])
  })

  test('a schema that the registry refuses is a final error', async () => {
    double.failWith = 409
    await expect(createEncoder(userTags, connectSchemaRegistry(double.url)))
      .rejects.toSatisfy((error) => error instanceof RegistryError && !error.retryable)
  })
})

test('what ingest had to take goes through the log as a value with its reason', async () => {
  const bytes = encodeRejected({ detail: 'no such event', request: 'timestamp=x' })
  expect(await createDecoder(userTags).decode([bytes, bytes.subarray(0, 9)])).toMatchObject([
    { ok: false, reason: 'rejected_at_ingest', detail: 'no such event' }, { ok: false, reason: 'bad_framing' }
  ])
})
