/** What the commands do to the file of keys: pure functions from one content to the next. */
import { KEYS_MAX, NAME_LENGTH_MAX, ORGANISATION_ID_RULE, isOrganisationId, isOrigin } from './access-file.ts'
import { AccessError } from './errors.ts'
import { hashSecret } from './key-secret.ts'
import type { AccessFile, Key, Organisation } from './access-file.ts'
import type { Scope } from '../http/index.ts'

/** The tenant of a system that runs open; its keys need no `orgs create`, so that one command closes it. */
export const STANDARD_ORGANISATION = 'default'

export interface NewOrganisation {
  id: string
  name: string
  origins: readonly string[]
}

/** Throws AccessError `organisation_exists`, or `argument_invalid` for an origin that is none. */
export function withOrganisation (
  file: AccessFile, { id, name, origins }: NewOrganisation, nowMs: number
): AccessFile {
  if (file.organisations.some((organisation) => organisation.id === id)) {
    throw new AccessError('organisation_exists', `There is an organisation ${id} already`)
  }
  if (!isOrganisationId(id)) {
    throw new AccessError('argument_invalid', `${id} is no id of an organisation: ${ORGANISATION_ID_RULE}`)
  }
  checkName(name)
  const organisation: Organisation = {
    id, name, origins: origins.map(checkOrigin), created_at: new Date(nowMs).toISOString()
  }
  return { ...file, organisations: [...file.organisations, organisation] }
}

/** Replaces the web origins of an organisation. Throws AccessError `organisation_unknown`. */
export function withOrigins (file: AccessFile, id: string, origins: readonly string[]): AccessFile {
  checkOrganisation(file, id)
  return {
    ...file,
    organisations: file.organisations.map((organisation) => {
      return organisation.id === id ? { ...organisation, origins: origins.map(checkOrigin) } : organisation
    })
  }
}

export interface NewKey {
  id: string
  secret: string
  organisation: string
  name: string
  scopes: readonly Scope[]
  expiresAtMs: number | undefined
  rateLimitPerSecond: number | undefined
}

/** Throws AccessError `organisation_unknown`, or `argument_invalid` where the file is full. */
export function withKey (file: AccessFile, newKey: NewKey, nowMs: number): AccessFile {
  const { id, secret, organisation, name, scopes, expiresAtMs, rateLimitPerSecond } = newKey
  const created = new Date(nowMs).toISOString()
  const missing = organisation === STANDARD_ORGANISATION &&
    !file.organisations.some((known) => known.id === organisation)
  checkName(name)
  const next = missing ? withOrganisation(file, { id: organisation, name: '', origins: [] }, nowMs) : file
  checkOrganisation(next, organisation)
  if (file.keys.length >= KEYS_MAX) throw new AccessError('argument_invalid', `There are ${KEYS_MAX} keys already`)
  const key: Key = {
    id,
    organisation,
    name,
    sha256: hashSecret(secret),
    scopes: [...new Set(scopes)],
    created_at: created,
    ...(expiresAtMs === undefined ? {} : { expires_at: new Date(expiresAtMs).toISOString() }),
    ...(rateLimitPerSecond === undefined ? {} : { rate_limit_per_second: rateLimitPerSecond })
  }
  return { ...next, keys: [...next.keys, key] }
}

/** A key that was revoked before keeps its time. Throws AccessError `key_unknown`. */
export function withRevokedKey (file: AccessFile, id: string, nowMs: number): AccessFile {
  if (!file.keys.some((key) => key.id === id)) throw new AccessError('key_unknown', `There is no key ${id}`)
  return {
    ...file,
    keys: file.keys.map((key) => {
      return key.id === id ? { ...key, revoked_at: key.revoked_at ?? new Date(nowMs).toISOString() } : key
    })
  }
}

function checkOrigin (text: string): string {
  if (isOrigin(text)) return text
  throw new AccessError('argument_invalid', `${text} is not an origin such as https://shop.example`)
}

function checkName (name: string): void {
  if (name.length <= NAME_LENGTH_MAX) return
  throw new AccessError('argument_invalid', `A name has at most ${NAME_LENGTH_MAX} characters`)
}

/** Throws AccessError `organisation_unknown`. The standard one needs not be created. */
export function requireOrganisation (file: AccessFile, id: string): void {
  if (id !== STANDARD_ORGANISATION) checkOrganisation(file, id)
}

function checkOrganisation (file: AccessFile, id: string): void {
  if (file.organisations.some((organisation) => organisation.id === id)) return
  throw new AccessError('organisation_unknown', `There is no organisation ${id}: create it first`)
}
