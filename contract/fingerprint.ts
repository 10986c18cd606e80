import type { Type } from 'avsc'

/** CRC-64-AVRO of the empty input: the seed of the Rabin fingerprint in the Avro specification. */
const EMPTY = 0xc15d213aa4d7a795n

const TABLE = Array.from({ length: 256 }, (_unused, byte) => {
  let fingerprint = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) {
    fingerprint = (fingerprint >> 1n) ^ (EMPTY & -(fingerprint & 1n))
  }
  return BigInt.asUintN(64, fingerprint)
})

/**
 * CRC-64-AVRO fingerprint of a schema's parsing canonical form, 8 bytes little-endian, as Avro's
 * single-object encoding wants it (specification 1.12, "Schema Fingerprints" and "Single object encoding").
 */
export function rabinFingerprint (type: Type): Buffer {
  return fingerprintOf(JSON.stringify(type.schema()))
}

/** CRC-64-AVRO of a text, 8 bytes little-endian. */
export function fingerprintOf (text: string): Buffer {
  let fingerprint = EMPTY
  for (const byte of Buffer.from(text)) {
    fingerprint = (fingerprint >> 8n) ^ (TABLE[Number((fingerprint ^ BigInt(byte)) & 0xffn)] as bigint)
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(fingerprint)
  return bytes
}
