/**
 * Who makes a request, and may they? The gate knows the keys in force and decides; Fastify is elsewhere.
 *
 * Keys are needed where AUTH=required, where any key exists (a revoked one too), and for good once that was
 * so in this process: a file that loses its keys never opens a system that was closed.
 *
 * A demo key closes nothing. It opens the routes that always need a key, as the tenant `demo`, for as long as
 * the system runs open; so what runs open can be tried whole, and the key ends with the first real one.
 */
import { MillraceError } from '../contract/index.ts'
import { OPEN_PRINCIPAL } from '../http/index.ts'
import type { Registry } from 'prom-client'
import { AccessWatcher } from './access-watcher.ts'
import { accessMetrics } from './metrics.ts'
import { hashSecret } from './key-secret.ts'
import type { Principal, RouteAccess } from '../http/index.ts'
import type { AccessConfig } from './config.ts'
import type { AccessDirectory, KeyRefusal } from './directory.ts'
import type { AccessLog } from './access-log.ts'
import type { AccessMetrics } from './metrics.ts'

export interface GateOptions {
  config: AccessConfig
  log: AccessLog
  registry: Registry
  nowMs: () => number
  /** Secret of the demo key; without it there is none. */
  demoKey?: string | undefined
}

/** Headers that may carry a key. */
export interface CredentialHeaders {
  'x-api-key'?: string | string[] | undefined
  authorization?: string | undefined
}

const REFUSALS: Record<KeyRefusal, string> = {
  unknown: 'The API key is unknown', expired: 'The API key has expired', revoked: 'The API key was revoked'
}

const DEMO_PRINCIPAL: Principal = Object.freeze({
  tenant: 'demo', scopes: Object.freeze(['ingest', 'query'] as const), keyId: 'demo'
})

const BEARER = /^bearer +(\S+) *$/i

export class Gate {
  readonly metrics: AccessMetrics
  readonly #options: GateOptions
  readonly #watcher: AccessWatcher
  readonly #lastUses: Map<string, number>
  readonly #demoHash: string | undefined
  #required: boolean

  private constructor (
    options: GateOptions, watcher: AccessWatcher, metrics: AccessMetrics, lastUses: Map<string, number>
  ) {
    this.#options = options
    this.#watcher = watcher
    this.metrics = metrics
    this.#lastUses = lastUses
    this.#demoHash = options.demoKey === undefined ? undefined : hashSecret(options.demoKey)
    this.#required = options.config.alwaysRequired
  }

  /** Reads the keys and keeps watching them. Throws AccessError where their file is broken. */
  static async open (options: GateOptions): Promise<Gate> {
    const { config: { file, pollMs }, log, registry } = options
    const lastUses = new Map<string, number>()
    const metrics = accessMetrics(registry, lastUses)
    const watcher = await AccessWatcher.open({ file, pollMs, log, metrics })
    return new Gate(options, watcher, metrics, lastUses)
  }

  get directory (): AccessDirectory {
    return this.#watcher.directory
  }

  /** Does everybody need a key? */
  get required (): boolean {
    this.#required ||= this.directory.keys.length > 0
    return this.#required
  }

  /**
   * Who calls a route that asks for `access`. Throws MillraceError `unauthorized`. A key that is shown must
   * be good, also while the system runs open: its sender expects it to be looked at.
   */
  identify (headers: CredentialHeaders, access: RouteAccess): Principal {
    const secret = secretOf(headers)
    if (secret === undefined) {
      if (this.required || access.keyRequired === true) {
        throw new MillraceError('unauthorized', 'Send an API key in the header x-api-key')
      }
      return OPEN_PRINCIPAL
    }
    if (this.#isDemo(secret, access)) return DEMO_PRINCIPAL
    const nowMs = this.#options.nowMs()
    const key = this.directory.find(secret, nowMs)
    if (typeof key === 'string') throw new MillraceError('unauthorized', REFUSALS[key])
    this.#lastUses.set(key.id, nowMs)
    return { tenant: key.organisation, scopes: key.scopes, keyId: key.id }
  }

  #isDemo (secret: string, { keyRequired }: RouteAccess): boolean {
    if (this.#demoHash === undefined || keyRequired !== true || this.required) return false
    return hashSecret(secret) === this.#demoHash
  }

  /** Requests a second that a principal has; undefined: as many as it likes. */
  rateLimitOf ({ keyId }: Principal): number | undefined {
    const { withKey, open } = this.#options.config.rateLimitPerSecond
    if (keyId === undefined) return open
    return this.directory.keyById(keyId)?.rate_limit_per_second ?? withKey
  }

  /** Epoch milliseconds at which this process last accepted the key. */
  lastUsedMs (keyId: string): number | undefined {
    return this.#lastUses.get(keyId)
  }

  async close (): Promise<void> {
    await this.#watcher.close()
  }
}

/** Throws MillraceError `forbidden` where the principal lacks the scope. */
export function checkScope ({ scopes }: Principal, { scope }: RouteAccess): void {
  if (!scopes.includes(scope)) throw new MillraceError('forbidden', `The API key lacks the scope ${scope}`)
}

function secretOf (headers: CredentialHeaders): string | undefined {
  const key = headers['x-api-key']
  if (key !== undefined && key !== '') return String(key)
  // Another scheme is meant for somebody else, such as a proxy.
  return BEARER.exec(headers.authorization ?? '')?.[1]
}
