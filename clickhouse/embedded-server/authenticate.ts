import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { ReadLimits } from '../config.ts'
import { serverError } from './server-error.ts'

export interface EmbeddedUser {
  name: string
  password: string
  /** Set: the user only reads, within these limits. */
  readLimits?: ReadLimits
}

/**
 * The user of a request: HTTP basic, the X-ClickHouse-User and -Key headers, or the parameters user and
 * password, in this order; a request that names nobody is `default`. Throws AUTHENTICATION_FAILED, which does
 * not say whether the user exists.
 */
export function authenticate (
  users: readonly EmbeddedUser[], headers: IncomingHttpHeaders, search: URLSearchParams
): EmbeddedUser {
  const { name, password } = credentials(headers, search)
  const user = users.find((candidate) => candidate.name === name)
  if (!sameText(password, user?.password ?? '') || user === undefined) {
    throw serverError('AUTHENTICATION_FAILED',
      `${name}: Authentication failed: password is incorrect, or there is no user with such name`)
  }
  return user
}

function credentials (
  headers: IncomingHttpHeaders, search: URLSearchParams
): { name: string, password: string } {
  const [scheme, encoded] = (headers.authorization ?? '').split(' ')
  if (scheme?.toLowerCase() === 'basic' && encoded !== undefined) {
    const text = Buffer.from(encoded, 'base64').toString()
    const colon = text.indexOf(':')
    return colon === -1
      ? { name: text, password: '' }
      : { name: text.slice(0, colon), password: text.slice(colon + 1) }
  }
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'string' ? value : undefined
  }
  return {
    name: header('x-clickhouse-user') ?? search.get('user') ?? 'default',
    password: header('x-clickhouse-key') ?? search.get('password') ?? ''
  }
}

/** Equal texts, in a time that does not depend on where they differ. */
function sameText (a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
