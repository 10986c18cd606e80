import { hash, randomBytes } from 'node:crypto'

/** 256 bits: nobody guesses one, so a plain hash of it is as good as a slow one. */
const SECRET_BYTES = 32
const KEY_ID_BYTES = 8
/** Longer texts are no secrets of ours, and are not hashed. */
export const SECRET_LENGTH_MAX = 128

/** A secret with a prefix, so that scanners of repositories and logs know one when they see it. */
export function newSecret (): string {
  return `mr_${randomBytes(SECRET_BYTES).toString('base64url')}`
}

export function newKeyId (): string {
  return `key_${randomBytes(KEY_ID_BYTES).toString('hex')}`
}

/** SHA-256 in hexadecimal: all that is ever stored of a secret. */
export function hashSecret (secret: string): string {
  return hash('sha256', secret, 'hex')
}
