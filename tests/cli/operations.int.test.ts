/** Every route of the system as `serve` composes it is documented. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openServePart, serveRole } from '../../cli/roles/serve.ts'
import { Closers } from '../../cli/role.ts'
import { loadSettings } from '../../cli/settings.ts'
import { collectPaths, createServer, finishRoutes, registerHealth, registerMetrics } from '../../http/index.ts'
import type { FastifyInstance, RouteOptions } from 'fastify'

const directory = mkdtempSync(join(tmpdir(), 'millrace-operations-'))
const closers = new Closers()
const routes: RouteOptions[] = []
let server: FastifyInstance

beforeAll(async () => {
  // Nothing asks ClickHouse before a request does.
  const env = loadSettings(serveRole.settings, { DATA_DIR: directory })
  const log = pino({ level: 'silent' })
  const registry = new Registry()
  const part = await openServePart(env, { log, registry, closers })
  server = createServer({ log })
  const paths = collectPaths(server)
  server.addHook('onRoute', (route) => { routes.push(route) })
  registerHealth(server, part)
  registerMetrics(server, registry)
  await part.routes(server)
  await server.after()
  finishRoutes(server, paths)
})

afterAll(async () => {
  await server?.close()
  await closers.closeAll()
  rmSync(directory, { recursive: true, force: true })
})

test('every route says what it is, or that it is hidden', () => {
  const silent = routes.filter(({ method, schema, config }) => {
    const hidden = (schema as { hide?: boolean } | undefined)?.hide === true
    return method !== 'HEAD' && !hidden && config?.operation === undefined
  })
  expect(silent.map(({ method, url }) => `${String(method)} ${url}`)).toEqual([])
  expect(routes.filter(({ config }) => config?.operation !== undefined).length).toBeGreaterThan(25)
})

test('operations have names of their own', () => {
  const ids = routes.filter(({ method }) => method !== 'HEAD').flatMap(({ config }) => config?.operation?.id ?? [])
  expect(ids).toEqual([...new Set(ids)])
})
