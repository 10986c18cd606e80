/**
 * A running system that asks for keys, shared by many tests: each takes an organisation of its own, so that
 * none sees what another has stored.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newPlace, startMillraceAt } from './millrace.ts'
import { fileWithKeys } from '../access/access-server.ts'
import { PlaceLog } from './place-log.ts'
import { streams } from '../../contract/index.ts'
import type { HttpAnswer, HttpClient, HttpRequest } from './http-client.ts'
import type { LogKind } from './each-log.ts'
import type { Millrace } from './millrace.ts'
import type { TestKey } from '../access/access-server.ts'

/** Organisations that tests may take. */
const TENANTS_MAX = 100
const STORED_MS_MAX = 120_000
/** So that a test which reads what it wrote does not wait a second for the batch to fill. */
const BATCH_AGE_MS_MAX = '100'

/** Keys with something special about them. */
export const LIMIT_PER_SECOND = 3
export const LISTED_ORIGIN = 'https://shop.example'
const SPECIAL_KEYS: Record<string, TestKey> = {
  limited: { organisation: 'limited', rateLimitPerSecond: LIMIT_PER_SECOND },
  listed: { organisation: 'listed' },
  unlisted: { organisation: 'unlisted' },
  writer: { organisation: 'listed', scopes: ['ingest'] },
  reader: { organisation: 'listed', scopes: ['query'] },
  expired: { organisation: 'listed', expiresAtMs: Date.UTC(2020, 0, 1) }
}

/** What a client does with one key. */
export class Tenant {
  readonly id: string
  readonly secret: string
  readonly #http: HttpClient

  constructor (http: HttpClient, { id, secret }: { id: string, secret: string }) {
    this.#http = http
    this.id = id
    this.secret = secret
  }

  send ({ headers, ...request }: HttpRequest): Promise<HttpAnswer> {
    return this.#http.send({ ...request, headers: { 'x-api-key': this.secret, ...headers } })
  }

  get (path: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.send({ path, headers })
  }

  /** Posts JSON, or text as it is. */
  post (path: string, body: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.send(posting(path, body, headers))
  }

  /** Posts and expects that status. */
  async accepts (
    path: string, body: unknown, headers: Record<string, string> = {}, status = 200
  ): Promise<void> {
    const answer = await this.post(path, body, headers)
    if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${answer.text}`)
  }

  /** The JSON of an answer, which must be 200. */
  async json (path: string): Promise<any> {
    const { status, text } = await this.get(path)
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    return JSON.parse(text)
  }
}

/** A request that posts JSON, or text as it is. */
export function posting (path: string, body: unknown, headers: Record<string, string> = {}): HttpRequest {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  return { method: 'POST', path, headers: { 'content-type': 'application/json', ...headers }, body: text }
}

export class KeyedSystem {
  readonly millrace: Millrace
  readonly #log: PlaceLog
  readonly #unused: Tenant[]
  readonly #special: ReadonlyMap<string, Tenant>

  private constructor (millrace: Millrace, secrets: readonly string[]) {
    this.millrace = millrace
    this.#log = new PlaceLog(millrace.place, streams.map(({ topic }) => topic))
    const tenants = keys().map(({ organisation: id }, index) => {
      return new Tenant(millrace.http, { id, secret: secrets[index] as string })
    })
    this.#special = new Map(Object.keys(SPECIAL_KEYS).map((name, index) => [name, tenants[index] as Tenant]))
    this.#unused = tenants.slice(this.#special.size)
  }

  static async start (kind: LogKind): Promise<KeyedSystem> {
    const place = await newPlace({ kind })
    const { file, secrets } = fileWithKeys(keys(), { listed: [LISTED_ORIGIN] })
    writeFileSync(join(place.directory, 'access.json'), JSON.stringify(file))
    return new KeyedSystem(await startMillraceAt(place, { BATCH_AGE_MS_MAX }), secrets)
  }

  /** A key of an organisation that nobody has used. */
  newTenant (): Tenant {
    const tenant = this.#unused.shift()
    if (tenant === undefined) throw new Error('Raise TENANTS_MAX')
    return tenant
  }

  special (name: keyof typeof SPECIAL_KEYS): Tenant {
    return this.#special.get(name) as Tenant
  }

  /** Resolves when everything that was accepted is in the tables. */
  async stored (): Promise<void> {
    await this.#log.drained(STORED_MS_MAX)
  }

  async stop (): Promise<void> {
    await this.#log.close()
    await this.millrace.stop()
  }
}

function keys (): TestKey[] {
  const ordinary = Array.from({ length: TENANTS_MAX }, (_, index) => ({ organisation: `tenant-${index}` }))
  return [...Object.values(SPECIAL_KEYS), ...ordinary]
}
