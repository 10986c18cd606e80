import { tenantOf } from '../../http/index.ts'
import { BULK_RETRY_OPERATION, RETRY_OPERATION } from '../operations.ts'
import { parseBulkRequest, parseDryRun, parseLetterId } from '../parse-request.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { DeadLetters } from '../dead-letters.ts'

const access = { scope: 'admin' as const }

/**
 * `POST /dead-letters/{id}/retry?dry_run=`: sends a letter into the log again, as it is, or the event of the
 * body instead, which is validated as any event of the stream. 409 `already_retried` the second time.
 */
export function registerRetry (server: FastifyInstance, letters: DeadLetters): void {
  server.post<{ Params: { id: string }, Querystring: RawQuery }>('/dead-letters/:id/retry', {
    config: { access, operation: RETRY_OPERATION }
  }, async (request) => {
    const dryRun = parseDryRun(request.query)
    const correction = request.body === undefined ? {} : { correction: request.body }
    return await letters.retry(tenantOf(request), parseLetterId(request.params.id), { ...correction, dryRun })
  })
}

/** `POST /dead-letters/retry?stream=&reason=&state=&from=&to=&limit=&dry_run=`: the oldest first. */
export function registerBulkRetry (server: FastifyInstance, letters: DeadLetters): void {
  server.post<{ Querystring: RawQuery }>('/dead-letters/retry', {
    config: { access, operation: BULK_RETRY_OPERATION }
  }, async (request) => {
    return await letters.retryMany(tenantOf(request), parseBulkRequest(request.query))
  })
}
