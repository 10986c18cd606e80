import { accessSettings } from '../../access/index.ts'
import { defineRole } from '../role.ts'
import { httpSettings } from '../../http/index.ts'
import { ingestPartSettings, openIngestPart } from '../parts.ts'
import { openAccessPart } from '../access-part.ts'
import { processSettings } from '../settings.ts'
import { accessCheck, kafkaCredentialsCheck } from '../settings-checks.ts'
import { startHttpRole } from '../http-role.ts'
import { trackerRoutes } from '../../tracker/index.ts'

export const ingestRole = defineRole({
  name: 'ingest',
  description: 'Take events over HTTP and make them durable in the log',
  settings: { ...processSettings, ...httpSettings, ...accessSettings, ...ingestPartSettings },
  checks: [accessCheck, kafkaCredentialsCheck],
  start: (env, role) => startHttpRole(env, role, async (context) => {
    const guard = await openAccessPart(env, context)
    const part = await openIngestPart(env, context)
    return {
      ...part,
      routes: async (server) => {
        await guard(server)
        await part.routes(server)
        await server.register(trackerRoutes, {})
      }
    }
  })
})
