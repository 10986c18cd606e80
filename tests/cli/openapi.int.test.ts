/** What the system tells of its routes, as `serve` composes them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer } from '../../cli/listen.ts'
import { openServePart, serveRole } from '../../cli/roles/serve.ts'
import { Closers } from '../../cli/role.ts'
import { loadSettings } from '../../cli/settings.ts'
import type { FastifyInstance, RouteOptions } from 'fastify'

interface Described {
  operationId: string
  summary: string
  parameters?: Array<{ name: string, description?: string }>
  requestBody?: { content: Record<string, { example?: unknown }> }
  responses: Record<string, { content?: Record<string, unknown> }>
  security: object[]
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-openapi-'))
const closers = new Closers()
const routes: RouteOptions[] = []
let server: FastifyInstance
let paths: Record<string, Record<string, Described>>
let operations: Array<[string, Described]>

beforeAll(async () => {
  // Nothing asks ClickHouse before a request does.
  const env = loadSettings(serveRole.settings, { DATA_DIR: directory })
  const log = pino({ level: 'silent' })
  const registry = new Registry()
  const part = await openServePart(env, { log, registry, closers })
  server = await buildServer({
    log,
    registry,
    health: part,
    routes: async (server) => {
      server.addHook('onRoute', (route) => { routes.push(route) })
      await part.routes(server)
    }
  })
  paths = (await server.inject('/openapi.json')).json().paths
  operations = Object.entries(paths).flatMap(([path, methods]) => {
    return Object.entries(methods).map(([method, operation]): [string, Described] => [`${method} ${path}`, operation])
  })
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
})

test('what a route says of itself stands in the description', () => {
  const described = routes.filter(({ method, config }) => method !== 'HEAD' && config?.operation !== undefined)
  expect(described.length).toBeGreaterThan(25)
  for (const { method, url, config } of described) {
    const path = url.replaceAll(/:(\w+)/g, '{$1}')
    const operation = paths[path]?.[String(method).toLowerCase()]
    expect(operation?.operationId, `${String(method)} ${url}`).toBe(config?.operation?.id)
    expect(operation?.security.length, url).toBe(config?.access === undefined ? 0 : 2)
  }
})

test('whoever opens the address itself is led to what is there', async () => {
  const { statusCode, headers } = await server.inject('/')
  expect([statusCode, headers.location]).toEqual([302, '/docs'])
})

test('the linter finds nothing in the description', async () => {
  const config = await createConfig({
    extends: ['recommended'],
    // Health and metrics take no input that could be wrong.
    rules: { 'operation-4xx-response': 'off' }
  })
  const source = (await server.inject('/openapi.json')).body
  const problems = await lintFromString({ source, config })
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
})

test('every parameter is described, and every body has an example', () => {
  for (const [name, { parameters, requestBody }] of operations) {
    for (const { name: parameter, description } of parameters ?? []) {
      expect(description, `${name} ${parameter}`).toMatch(/\w/)
    }
    for (const { example } of Object.values(requestBody?.content ?? {})) expect(example, name).toBeDefined()
  }
})

test('whoever needs a key is told what happens without one, with a poor one, and too often', () => {
  for (const [name, { security, responses }] of operations) {
    if (security.length > 0) expect(Object.keys(responses), name).toEqual(expect.arrayContaining(['401', '403', '429']))
  }
})

test('the pages come with the headers of every answer that has a body, and fetch nothing from elsewhere', async () => {
  const page = await server.inject('/docs/')
  expect(page.statusCode).toBe(200)
  expect(page.headers['content-security-policy']).toContain("default-src 'self'")
  const addresses = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address as string)
  expect(addresses.length).toBeGreaterThan(4)
  for (const address of addresses) {
    expect(address).toMatch(/^\.\/static\//)
    expect((await server.inject(new URL(address, 'http://x/docs/').pathname)).statusCode, address).toBe(200)
  }
})
