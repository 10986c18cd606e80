import { clientSignal } from '../client-signal.ts'
import { parseAggregatesRequest } from '../parse-aggregates-request.ts'
import { toAggregatesAnswer } from '../queries/aggregates.ts'
import { tenantOf } from '../../http/index.ts'
import { AGGREGATES_OPERATION } from '../operations/user-tags.ts'
import type { AggregatesAnswer } from '../queries/aggregates.ts'
import type { AggregatesRequest } from '../parse-aggregates-request.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { TenantRequest } from '../readers.ts'

export interface AggregatesOptions {
  aggregates: SharedRead<TenantRequest<AggregatesRequest>, AggregatesAnswer>
}

/**
 * `POST /aggregates?time_range=…&action=…&aggregates=…[&origin=…][&brand_id=…][&category_id=…]`: count and
 * revenue of each minute of `[from, to)`, zeros included, as a table of strings.
 */
export function registerAggregates (server: FastifyInstance, { aggregates }: AggregatesOptions): void {
  server.post<{ Querystring: RawQuery }>('/aggregates', {
    config: { access: { scope: 'query' }, operation: AGGREGATES_OPERATION }
  }, async (request, reply) => {
    const aggregatesRequest = parseAggregatesRequest(request.query)
    const { fromMs, toMs } = aggregatesRequest.timeRange
    if (fromMs === toMs) return toAggregatesAnswer(aggregatesRequest, [])
    const read = { tenant: tenantOf(request), request: aggregatesRequest }
    return await aggregates.read(read, clientSignal(reply))
  })
}
