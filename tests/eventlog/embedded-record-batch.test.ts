import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchBytes, decodeBatch, encodeBatch, newestTimestamp } from '../../eventlog/embedded/record-batch.ts'
import type { AppendRecord } from '../../eventlog/index.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const record = fc.record({ key: bytes, value: bytes, timestampMs: fc.nat({ max: 2 ** 45 }) })
const records = fc.array(record, { minLength: 1, maxLength: 20 })

/** The batch, written behind `start` other bytes. */
function encode (sent: readonly AppendRecord[], start = 0): Buffer {
  const target = Buffer.alloc(start + batchBytes(sent), 0xff)
  expect(encodeBatch(sent, target, start)).toBe(target.length)
  return target.subarray(start)
}

test('a batch gives back its records byte for byte, from any offset on', () => {
  fc.assert(fc.property(records, fc.nat({ max: 2 ** 50 }), fc.nat({ max: 25 }), (sent, base, skip) => {
    const batch = encode(sent, skip)
    const expected = sent.map((one, index) => ({ ...one, offset: base + index })).slice(skip)
    expect([...decodeBatch(batch, base, base + skip)]).toEqual(expected)
    expect(newestTimestamp(batch)).toBe(Math.max(...sent.map(({ timestampMs }) => timestampMs)))
  }))
})

test('a batch of an unknown format is refused', () => {
  const batch = encode([{ key: Buffer.alloc(0), value: Buffer.alloc(0), timestampMs: 1 }])
  batch.writeUInt8(9, 0)
  expect(() => [...decodeBatch(batch, 0, 0)]).toThrow(/format 9/)
})
