import { Registry } from 'prom-client'
import {
  collectPaths, createServer, finishRoutes, registerDocs, registerHealth, registerMetrics, registerOpenApi
} from '../http/index.ts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { HealthOptions, HttpConfig } from '../http/index.ts'
import type { Closers } from './role.ts'

export interface ListenOptions {
  log: Logger
  http: HttpConfig
  health: HealthOptions
  registry: Registry
  closers: Closers
  /** Adds the role's own routes. */
  routes?: (server: FastifyInstance) => Promise<void>
}

/** Opens a role's listener; where it listens. */
export async function listen (options: ListenOptions): Promise<string> {
  const { http, closers } = options
  const server = await buildServer(options)
  closers.add(async () => { await server.close() })
  return await server.listen(http)
}

/** A role's server: its routes, health, metrics, and the description of all of them. */
export async function buildServer (
  { log, health, registry, routes }: Pick<ListenOptions, 'log' | 'health' | 'registry' | 'routes'>
): Promise<FastifyInstance> {
  const server = createServer({ log })
  const paths = collectPaths(server)
  await registerOpenApi(server)
  registerHealth(server, health)
  registerMetrics(server, registry)
  await routes?.(server)
  // Whoever opens the address in a browser wants to know what is here.
  server.get('/', { schema: { hide: true } as object }, async (_request, reply) => reply.redirect('/docs'))
  await registerDocs(server)
  await server.after()
  finishRoutes(server, paths)
  return server
}
