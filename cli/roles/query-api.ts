import { Registry } from 'prom-client'
import { defineRole, opening } from '../role.ts'
import { httpConfig, httpSettings } from '../../http/index.ts'
import { listen } from '../listen.ts'
import { openQueryPart, queryPartSettings } from '../parts.ts'
import { processSettings } from '../settings.ts'

export const queryApiRole = defineRole({
  name: 'query-api',
  description: 'Answer profiles and aggregates from ClickHouse',
  settings: { ...processSettings, ...httpSettings, ...queryPartSettings },
  start: (env, { log }) => opening(async (closers) => {
    const registry = new Registry()
    const part = await openQueryPart(env, { log, closers, registry })
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
