import { hash } from 'node:crypto'
import { RETRY_EVENT_ID_PREFIX } from '../contract/index.ts'
import type { EventIdentity } from './stored-ids.ts'

/** 128 bits: with a billion ids in memory, two of them share a key once in 10^21 times. */
const KEY_BYTES = 16

/**
 * A short name of an event: one key for one tenant, subject and id. A cryptographic hash, so that nobody can
 * choose an id that makes another one's event look like a duplicate. One character a byte.
 *
 * A retried dead letter is one event whatever subject it was corrected to: its retries are in one partition.
 */
export function identityKey (identity: EventIdentity): string {
  const { tenant, eventId } = identity
  const subject = eventId.startsWith(RETRY_EVENT_ID_PREFIX) ? '' : identity.subject
  // Lengths come first, so that no two triples share a text.
  const text = `${tenant.length}:${subject.length}:${tenant}${subject}${eventId}`
  return hash('sha256', text, 'buffer').toString('latin1', 0, KEY_BYTES)
}
