import { clientSignal } from '../client-signal.ts'
import { parseVisitsRequest } from '../parse-visits-request.ts'
import { MillraceError, visits as stream } from '../../contract/index.ts'
import { tenantOf } from '../../http/index.ts'
import { VISITS_OPERATION } from '../operations/systems.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { TenantRequest } from '../readers.ts'
import type { VisitsRequest } from '../parse-visits-request.ts'

export interface VisitsOptions {
  /** Reads the body of the answer, or why there is none. */
  visits: SharedRead<TenantRequest<VisitsRequest>, string | MillraceError>
  now: () => number
}

/**
 * `GET /visits?aggregation=minute|hour|day|month&dateFrom=&dateTo=&unique=`: visits, or distinct visitors, of
 * each page by UTC bucket of time, as `{ data: { <pageUrl>: [{ timeframe, visit_count }] } }`. Pages in the
 * order of their bytes, timeframes ascending; buckets and pages without visits are left out.
 */
export function registerVisits (server: FastifyInstance, { visits, now }: VisitsOptions): void {
  const access = { scope: 'query' as const, keyRequired: stream.keyRequired === true }
  const config = { access, operation: VISITS_OPERATION }
  server.get<{ Querystring: RawQuery }>('/visits', { config }, async (request, reply) => {
    const read = { tenant: tenantOf(request), request: parseVisitsRequest(request.query, now()) }
    const body = await visits.read(read, clientSignal(reply))
    if (body instanceof MillraceError) throw body
    reply.type('application/json; charset=utf-8')
    return body
  })
}
