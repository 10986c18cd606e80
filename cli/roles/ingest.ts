import { Registry } from 'prom-client'
import { accessSettings } from '../../access/index.ts'
import { defineRole, opening } from '../role.ts'
import { openAccessPart } from '../access-part.ts'
import { httpConfig, httpSettings } from '../../http/index.ts'
import { ingestPartSettings, openIngestPart } from '../parts.ts'
import { listen } from '../listen.ts'
import { processSettings } from '../settings.ts'
import { trackerRoutes } from '../../tracker/index.ts'

export const ingestRole = defineRole({
  name: 'ingest',
  description: 'Take events over HTTP and make them durable in the log',
  settings: { ...processSettings, ...httpSettings, ...accessSettings, ...ingestPartSettings },
  start: (env, { log }) => opening(async (closers) => {
    const registry = new Registry()
    const context = { log, closers, registry }
    const guard = await openAccessPart(env, context)
    const part = await openIngestPart(env, context)
    const url = await listen({
      log,
      http: httpConfig(env),
      health: { ready: part.ready, dependencies: part.dependencies },
      registry,
      closers,
      routes: async (server) => {
        await guard(server)
        await part.routes(server)
        await server.register(trackerRoutes, {})
      }
    })
    return { url, close: () => closers.closeAll() }
  })
})
