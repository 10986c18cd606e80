import { accessSettings } from '../../access/index.ts'
import { defineRole } from '../role.ts'
import { httpSettings } from '../../http/index.ts'
import { openAccessPart } from '../access-part.ts'
import { openLookedAtLog, openQueryPart, queryPartSettings } from '../parts.ts'
import { processSettings } from '../settings.ts'
import { accessCheck, kafkaCredentialsCheck, questionSecondsCheck } from '../settings-checks.ts'
import { startHttpRole } from '../http-role.ts'

export const queryApiRole = defineRole({
  name: 'query-api',
  description: 'Answer every read from ClickHouse: reports, ad-hoc questions, the books; erase; retry dead letters',
  settings: { ...processSettings, ...httpSettings, ...accessSettings, ...queryPartSettings },
  checks: [accessCheck, kafkaCredentialsCheck, questionSecondsCheck],
  start: (env, role) => startHttpRole(env, role, async (context) => {
    const guard = await openAccessPart(env, context)
    const part = await openQueryPart(env, context, openLookedAtLog(env, context))
    return {
      ...part,
      routes: async (server) => {
        await guard(server)
        await part.routes(server)
      }
    }
  })
})
