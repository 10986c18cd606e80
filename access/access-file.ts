/**
 * The file of organisations and keys: what it holds, and how it is read. It holds no secrets: of a key only
 * SHA-256 of its secret. Revoked keys stay in it, so that a list can show them and so that a system whose
 * last key was revoked does not fall open.
 */
import { readFile, stat } from 'node:fs/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parseTime } from '../contract/index.ts'
import { AccessError } from './errors.ts'
import type { Static } from 'typebox'

export const SCOPES = ['ingest', 'query', 'admin'] as const

/** Keys in one file: all of them are in memory, and each has a counter. */
export const KEYS_MAX = 10_000
const FILE_BYTES_MAX = 8 * 1024 * 1024
export const NAME_LENGTH_MAX = 256
const ORIGINS_MAX = 100
/** Far above any rate of a single key. */
const RATE_LIMIT_MAX = 1_000_000

const ORGANISATION_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/
/** The same in words. */
export const ORGANISATION_ID_RULE = '1 to 63 of a-z, 0-9, _ and -, with a letter or digit first'

const strict = { additionalProperties: false }
const Name = Type.String({ maxLength: NAME_LENGTH_MAX })
const Time = Type.String({ maxLength: 40 })

const OrganisationSchema = Type.Object({
  // The tenant of every event that is sent with its keys.
  id: Type.String({ pattern: ORGANISATION_ID.source }),
  name: Name,
  // Web origins whose pages may call with the organisation's keys.
  origins: Type.Array(Type.String({ maxLength: 256 }), { maxItems: ORIGINS_MAX }),
  created_at: Time
}, strict)

const KeySchema = Type.Object({
  id: Type.String({ pattern: '^key_[0-9a-f]{16}$' }),
  organisation: Type.String(),
  name: Name,
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  scopes: Type.Array(Type.Enum([...SCOPES]), { minItems: 1, maxItems: SCOPES.length }),
  created_at: Time,
  expires_at: Type.Optional(Time),
  revoked_at: Type.Optional(Time),
  rate_limit_per_second: Type.Optional(Type.Integer({ minimum: 1, maximum: RATE_LIMIT_MAX }))
}, strict)

const AccessFileSchema = Type.Object({
  version: Type.Literal(1),
  organisations: Type.Array(OrganisationSchema, { maxItems: KEYS_MAX }),
  keys: Type.Array(KeySchema, { maxItems: KEYS_MAX })
}, strict)

export type Organisation = Static<typeof OrganisationSchema>
export type Key = Static<typeof KeySchema>
export type AccessFile = Static<typeof AccessFileSchema>

export const EMPTY_ACCESS_FILE: AccessFile = Object.freeze({ version: 1, organisations: [], keys: [] })

/** The file's text, or undefined where there is no file. Throws AccessError where it cannot be read. */
export async function readAccessText (path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path)
    if (size > FILE_BYTES_MAX) throw new AccessError('access_file_invalid', `${path} is larger than ${FILE_BYTES_MAX} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof AccessError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new AccessError('access_file_unreadable', `${path} cannot be read (${String(code)})`, { cause: error })
  }
}

/**
 * The content of a file; no text is an empty one. Throws AccessError `access_file_invalid` for anything that
 * is not exactly as declared: a misspelt expiry that is silently ignored would be a key that never expires.
 */
export function parseAccessFile (text: string | undefined): AccessFile {
  if (text === undefined) return EMPTY_ACCESS_FILE
  const content = parseJson(text)
  if (!Value.Check(AccessFileSchema, content)) {
    const [fault] = Value.Errors(AccessFileSchema, content)
    throw invalid(`${fault?.instancePath || '/'} ${fault?.message ?? 'is invalid'}`)
  }
  checkOrganisations(content.organisations)
  checkKeys(content)
  return content
}

export function isOrganisationId (text: string): boolean {
  return ORGANISATION_ID.test(text)
}

/** Is it a web origin, as browsers send it? */
export function isOrigin (text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AccessError('access_file_invalid', 'The file of keys is not JSON', { cause: error })
  }
}

function checkOrganisations (organisations: readonly Organisation[]): void {
  checkUnique('organisation', organisations.map(({ id }) => id))
  for (const { id, origins, created_at: createdAt } of organisations) {
    if (!origins.every(isOrigin)) throw invalid(`${id} lists what is no origin`)
    checkTimes(id, [createdAt])
  }
}

function checkKeys ({ organisations, keys }: AccessFile): void {
  checkUnique('key', keys.map(({ id }) => id))
  checkUnique('sha256', keys.map(({ sha256 }) => sha256))
  const known = new Set(organisations.map(({ id }) => id))
  for (const key of keys) {
    if (!known.has(key.organisation)) throw invalid(`${key.id} belongs to an unknown organisation`)
    checkTimes(key.id, [key.created_at, key.expires_at, key.revoked_at])
  }
}

function checkUnique (what: string, values: readonly string[]): void {
  if (new Set(values).size < values.length) throw invalid(`it names one ${what} twice`)
}

function checkTimes (id: string, times: ReadonlyArray<string | undefined>): void {
  for (const time of times) {
    if (time !== undefined && parseTime(time) === undefined) throw invalid(`${id} has a time that is not RFC 3339`)
  }
}

function invalid (what: string): AccessError {
  return new AccessError('access_file_invalid', `The file of keys is invalid: ${what}`)
}
