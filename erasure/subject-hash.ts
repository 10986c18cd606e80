/**
 * The keyed hash of a subject: HMAC-SHA-256 (RFC 2104) over the key of its records in the log, which names
 * tenant and subject. It is computed here, and by ClickHouse for whole tables; both give the same.
 */
import { createHash, createHmac } from 'node:crypto'

/** Bytes of a block of SHA-256. */
const BLOCK_BYTES = 64
const KEY_ID_DIGITS = 16

export class SubjectHasher {
  /** Tells keys apart, and nothing else about them. */
  readonly keyId: string
  /** What `subjectHashSql` needs; secret, so a query that carries it is not to be logged by ClickHouse. */
  readonly params: Readonly<Record<'erasure_inner' | 'erasure_outer', string>>
  readonly #key: string

  constructor (key: string) {
    this.#key = key
    this.keyId = this.hash(Buffer.from('millrace erasure key')).slice(0, KEY_ID_DIGITS)
    const block = Buffer.alloc(BLOCK_BYTES)
    const bytes = Buffer.from(key)
    const fitting = bytes.length > BLOCK_BYTES ? createHash('sha256').update(bytes).digest() : bytes
    fitting.copy(block)
    this.params = Object.freeze({ erasure_inner: padded(block, 0x36), erasure_outer: padded(block, 0x5c) })
  }

  /** 64 hexadecimal digits. `recordKey` is the contract's, of tenant and subject. */
  hash (recordKey: Buffer): string {
    return createHmac('sha256', this.#key).update(recordKey).digest('hex')
  }
}

/** SQL of `hash` for the record key that `recordKeySql` gives; its parameters are `SubjectHasher.params`. */
export function subjectHashSql (recordKeySql: string): string {
  const inner = `SHA256(concat(unhex({erasure_inner:String}), ${recordKeySql}))`
  return `lower(hex(SHA256(concat(unhex({erasure_outer:String}), ${inner}))))`
}

function padded (block: Buffer, pad: number): string {
  return Buffer.from(block.map((byte) => byte ^ pad)).toString('hex')
}
