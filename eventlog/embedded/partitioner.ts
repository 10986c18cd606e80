/**
 * Which partition a key goes to: Kafka's default, positive murmur2 of the key bytes modulo the number of
 * partitions (org.apache.kafka.common.utils.Utils.murmur2), so that the embedded log and Kafka agree.
 */
export function partitionOf (key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/** 32-bit murmur2 (Austin Appleby) with Kafka's seed, as a signed integer. */
export function murmur2 (bytes: Buffer): number {
  const { length } = bytes
  let hash = SEED ^ length
  const words = length >> 2
  for (let word = 0; word < words; word++) {
    let k = Math.imul(bytes.readInt32LE(word * 4), M)
    k = Math.imul(k ^ (k >>> R), M)
    hash = Math.imul(hash, M) ^ k
  }
  const tail = words * 4
  for (let left = length - tail - 1; left >= 0; left--) {
    hash ^= (bytes[tail + left] as number) << (8 * left)
  }
  if (tail < length) hash = Math.imul(hash, M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
