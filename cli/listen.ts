import { Registry } from 'prom-client'
import { collectPaths, createServer, finishRoutes, registerHealth, registerMetrics } from '../http/index.ts'
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

/** Opens a role's listener: health, metrics, its routes; where it listens. */
export async function listen (options: ListenOptions): Promise<string> {
  const { log, http, health, registry, closers, routes } = options
  const server = createServer({ log })
  const paths = collectPaths(server)
  registerHealth(server, health)
  registerMetrics(server, registry)
  await routes?.(server)
  await server.after()
  finishRoutes(server, paths)
  closers.add(async () => { await server.close() })
  return await server.listen(http)
}
