import { clientSignal } from '../client-signal.ts'
import { parseAnalyticsRequest } from '../parse-analytics-request.ts'
import { prefersJson } from '../prefers-json.ts'
import { tenantOf } from '../../http/index.ts'
import { ANALYTICS_OPERATION } from '../operations/systems.ts'
import type { AnalyticsAnswer } from '../queries/analytics.ts'
import type { AnalyticsRequest } from '../parse-analytics-request.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { TenantRequest } from '../readers.ts'

export interface AnalyticsOptions {
  analytics: SharedRead<TenantRequest<AnalyticsRequest>, AnalyticsAnswer>
}

/**
 * `GET /analytics?timestamp=<epoch s or ms>`: distinct users, clicks and impressions of `[timestamp - 1 h,
 * timestamp]`, as three lines `name,number` with a newline between them, or as a JSON object of the same
 * names.
 */
export function registerAnalytics (server: FastifyInstance, { analytics }: AnalyticsOptions): void {
  const config = { access: { scope: 'query' as const }, operation: ANALYTICS_OPERATION }
  server.get<{ Querystring: RawQuery }>('/analytics', { config }, async (request, reply) => {
    const read = { tenant: tenantOf(request), request: parseAnalyticsRequest(request.query) }
    const answer = await analytics.read(read, clientSignal(reply))
    reply.header('vary', 'accept')
    if (prefersJson(request.headers.accept)) return answer
    reply.type('text/plain; charset=utf-8')
    return Object.entries(answer).map(([name, number]) => `${name},${number}`).join('\n')
  })
}
