import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '../../eventlog/embedded/partitioner.ts'

// Vectors of Kafka's own test of its partitioner (UtilsTest.testMurmur2).
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107]
])('hashes %s as Kafka does', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('every key has one of the partitions', () => {
  fc.assert(fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
    const partition = partitionOf(Buffer.from(key), partitions)
    expect(partition).toBeGreaterThanOrEqual(0)
    expect(partition).toBeLessThan(partitions)
    expect(partitionOf(Buffer.from(key), partitions)).toBe(partition)
  }))
})
