import { Registry } from 'prom-client'
import { accessSettings } from '../../access/index.ts'
import { defineRole, opening } from '../role.ts'
import { openAccessPart } from '../access-part.ts'
import { httpConfig, httpSettings } from '../../http/index.ts'
import { listen } from '../listen.ts'
import { openQueryPart, queryPartSettings } from '../parts.ts'
import { processSettings } from '../settings.ts'

export const queryApiRole = defineRole({
  name: 'query-api',
  description: 'Answer profiles and aggregates from ClickHouse',
  settings: { ...processSettings, ...httpSettings, ...accessSettings, ...queryPartSettings },
  start: (env, { log }) => opening(async (closers) => {
    const registry = new Registry()
    const context = { log, closers, registry }
    const guard = await openAccessPart(env, context)
    const part = await openQueryPart(env, context)
    const url = await listen({
      log,
      http: httpConfig(env),
      health: { ready: part.ready, dependencies: part.dependencies },
      registry,
      closers,
      routes: async (server) => {
        await guard(server)
        await part.routes(server)
      }
    })
    return { url, close: () => closers.closeAll() }
  })
})
