import { parseTime } from '../contract/index.ts'
import type { AccessFile, Key, Organisation } from './access-file.ts'
import { SECRET_LENGTH_MAX, hashSecret } from './key-secret.ts'

export type KeyRefusal = 'unknown' | 'expired' | 'revoked'

/** The content of a file of keys, indexed for one look-up a request. */
export class AccessDirectory {
  readonly keys: readonly Key[]
  readonly #byHash: ReadonlyMap<string, { key: Key, expiresAtMs: number }>
  readonly #byId: ReadonlyMap<string, Key>
  readonly #organisations: ReadonlyMap<string, Organisation>
  readonly #origins: ReadonlySet<string>

  constructor ({ keys, organisations }: AccessFile) {
    this.keys = keys
    this.#byHash = new Map(keys.map((key) => [key.sha256, { key, expiresAtMs: expiryMs(key) }]))
    this.#byId = new Map(keys.map((key) => [key.id, key]))
    this.#organisations = new Map(organisations.map((organisation) => [organisation.id, organisation]))
    this.#origins = new Set(organisations.flatMap(({ origins }) => origins))
  }

  /**
   * The key of a secret, or why it is refused. What is compared is the hash of the secret, which whoever
   * guesses cannot steer: the time that the look-up takes says nothing about the secrets.
   */
  find (secret: string, nowMs: number): Key | KeyRefusal {
    if (secret.length > SECRET_LENGTH_MAX) return 'unknown'
    const found = this.#byHash.get(hashSecret(secret))
    if (found === undefined) return 'unknown'
    if (found.key.revoked_at !== undefined) return 'revoked'
    return found.expiresAtMs <= nowMs ? 'expired' : found.key
  }

  keyById (id: string): Key | undefined {
    return this.#byId.get(id)
  }

  /** May pages of this web origin use the tenant's keys? */
  allowsOrigin (tenant: string, origin: string): boolean {
    return this.#organisations.get(tenant)?.origins.includes(origin) ?? false
  }

  /** Is this web origin on the list of any organisation? A preflight carries no key that would say which. */
  knowsOrigin (origin: string): boolean {
    return this.#origins.has(origin)
  }
}

function expiryMs ({ expires_at: expiresAt }: Key): number {
  return expiresAt === undefined ? Infinity : parseTime(expiresAt) as number
}
