import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import {
  EMPTY_ACCESS_FILE, Gate, newKeyId, newSecret, registerAccess, withKey, withOrganisation
} from '../../access/index.ts'
import { collectPaths, createServer, finishRoutes, tenantOf } from '../../http/index.ts'
import type { FastifyInstance } from 'fastify'
import type { AccessConfig, AccessFile, SharedCounter } from '../../access/index.ts'
import type { Scope } from '../../http/index.ts'

export const NOW_MS = Date.UTC(2026, 4, 6, 7, 8, 9)
/** Until a role has read its file anew. */
export const PATIENT = { timeout: 60_000 }

/** A folder with a file of keys, and what tests do to it. */
export function accessFolder () {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-access-'))
  const file = join(directory, 'access.json')
  return {
    directory,
    file,
    /** At once, so that no reader meets half of it. */
    write: (content: AccessFile | string) => {
      writeFileSync(`${file}.next`, typeof content === 'string' ? content : JSON.stringify(content))
      renameSync(`${file}.next`, file)
    },
    remove: () => rmSync(directory, { recursive: true, force: true })
  }
}

export interface TestKey {
  organisation: string
  scopes?: readonly Scope[]
  expiresAtMs?: number
  rateLimitPerSecond?: number
}

/** A file with these keys and their organisations, and the keys' ids and secrets in order. */
export function fileWithKeys (keys: readonly TestKey[], origins: Record<string, string[]> = {}) {
  let file = EMPTY_ACCESS_FILE
  for (const id of new Set(keys.map(({ organisation }) => organisation))) {
    file = withOrganisation(file, { id, name: id, origins: origins[id] ?? [] }, NOW_MS)
  }
  const made = keys.map(({ organisation, scopes, expiresAtMs, rateLimitPerSecond }) => {
    const [id, secret] = [newKeyId(), newSecret()]
    const all = ['ingest', 'query', 'admin'] as const
    const key = { id, secret, organisation, name: '', scopes: scopes ?? all, expiresAtMs, rateLimitPerSecond }
    file = withKey(file, key, NOW_MS)
    return { id, secret }
  })
  const secrets = made.map(({ secret }) => secret) as [string, ...string[]]
  return { file, ids: made.map(({ id }) => id), secrets }
}

export interface GuardedOptions {
  config?: Partial<AccessConfig>
  counter?: SharedCounter
  nowMs?: () => number
  demoKey?: string
  /** Adds routes beside `/in`, `/out`, `/secret` and `/open`. */
  routes?: (server: FastifyInstance) => Promise<void>
}

/** A guarded server over a file of keys, as cli composes it; log lines are kept. */
export async function startGuarded (file: string, options: GuardedOptions = {}) {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => { lines.push(line) } })
  const registry = new Registry()
  const config: AccessConfig = {
    file,
    pollMs: 20,
    alwaysRequired: false,
    rateLimitPerSecond: { withKey: 10_000, open: undefined },
    redisUrl: undefined,
    ...options.config
  }
  const { nowMs = () => NOW_MS, demoKey } = options
  const gate = await Gate.open({ config, log, registry, nowMs, demoKey })
  const server = createServer({ log })
  const paths = collectPaths(server)
  await registerAccess(server, { gate, counter: options.counter })
  const whose = async (request: Parameters<typeof tenantOf>[0]) => ({ tenant: tenantOf(request) })
  server.post('/in', { config: { access: { scope: 'ingest' } } }, whose)
  server.get('/out', { config: { access: { scope: 'query' } } }, whose)
  server.get('/secret', { config: { access: { scope: 'query', keyRequired: true } } }, whose)
  server.get('/open', async () => ({ open: true }))
  await options.routes?.(server)
  await server.after()
  finishRoutes(server, paths)
  const get = (url: string, headers: Record<string, string> = {}) => server.inject({ method: 'GET', url, headers })
  return {
    server, gate, registry, lines, get, close: async () => { await server.close(); await gate.close() }
  }
}
