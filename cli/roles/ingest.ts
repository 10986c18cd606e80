import { Registry } from 'prom-client'
import { defineRole, opening } from '../role.ts'
import { httpConfig, httpSettings } from '../../http/index.ts'
import { ingestPartSettings, openIngestPart } from '../parts.ts'
import { listen } from '../listen.ts'
import { processSettings } from '../settings.ts'

export const ingestRole = defineRole({
  name: 'ingest',
  description: 'Take events over HTTP and make them durable in the log',
  settings: { ...processSettings, ...httpSettings, ...ingestPartSettings },
  start: (env, { log }) => opening(async (closers) => {
    const registry = new Registry()
    const part = await openIngestPart(env, { log, closers, registry })
    const url = await listen({
      log,
      http: httpConfig(env),
      health: { ready: part.ready, dependencies: part.dependencies },
      registry,
      closers,
      routes: part.routes
    })
    return { url, close: () => closers.closeAll() }
  })
})
