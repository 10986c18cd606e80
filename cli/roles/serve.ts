import { Type } from 'typebox'
import { accessSettings, newSecret } from '../../access/index.ts'
import { defineRole } from '../role.ts'
import { openAccessPart } from '../access-part.ts'
import { httpSettings } from '../../http/index.ts'
import { ingestPartSettings, openIngestPart, openQueryPart, queryPartSettings } from '../parts.ts'
import { processSettings } from '../settings.ts'
import { accessCheck, kafkaCredentialsCheck, questionSecondsCheck } from '../settings-checks.ts'
import { startHttpRole } from '../http-role.ts'
import { trackerRoutes } from '../../tracker/index.ts'
import type { Static, TObject } from 'typebox'
import type { HealthCheck } from '../../http/index.ts'
import type { HttpPart, PartContext } from '../parts.ts'

const serveSettings = {
  ...processSettings,
  ...httpSettings,
  ...accessSettings,
  ...ingestPartSettings,
  ...queryPartSettings,
  READY_URLS: Type.String({
    default: '',
    description: 'URLs, separated by commas, that must answer 200 for this listener to be ready.'
  })
}

/**
 * The one listener of `millrace start`: ingest and query-api on one port, ready when everything behind it is.
 */
export const serveRole = defineRole({
  name: 'serve',
  description: 'Serve ingest and query-api on one port',
  settings: serveSettings,
  checks: [accessCheck, kafkaCredentialsCheck, questionSecondsCheck],
  start: (env, role) => startHttpRole(env, role, (context) => openServePart(env, context))
})

/** Every route that the system has, guarded. */
export async function openServePart (
  env: Readonly<Static<TObject<typeof serveSettings>>>, context: PartContext
): Promise<HttpPart> {
  const demoKey = newSecret()
  const guard = await openAccessPart(env, context, { demoKey })
  const ingest = await openIngestPart(env, context)
  const query = await openQueryPart(env, context, ingest)
  const others = env.READY_URLS.split(',').filter((text) => text !== '').map(urlCheck)
  return {
    ready: [...ingest.ready, ...query.dependencies, ...others],
    dependencies: [...ingest.dependencies, ...query.dependencies],
    routes: async (server) => {
      await guard(server)
      await ingest.routes(server)
      await query.routes(server)
      await server.register(trackerRoutes, { demo: { apiKey: demoKey } })
    }
  }
}

function urlCheck (url: string): HealthCheck {
  return {
    name: url,
    check: async () => {
      const response = await fetch(url)
      await response.body?.cancel()
      if (!response.ok) throw new Error(`answered ${response.status}`)
    }
  }
}
