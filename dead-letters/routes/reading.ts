import { tenantOf } from '../../http/index.ts'
import { LIST_OPERATION, SHOW_OPERATION } from '../operations.ts'
import { parseLetterId, parseListRequest } from '../parse-request.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { DeadLetters } from '../dead-letters.ts'

const access = { scope: 'admin' as const }

/** `GET /dead-letters?stream=&reason=&state=&from=&to=&limit=&cursor=`: newest first, without their bytes. */
export function registerList (server: FastifyInstance, letters: DeadLetters): void {
  server.get<{ Querystring: RawQuery }>('/dead-letters', {
    config: { access, operation: LIST_OPERATION }
  }, async (request) => {
    return await letters.list(tenantOf(request), parseListRequest(request.query))
  })
}

/** `GET /dead-letters/{id}`: one letter with its bytes, decoded as far as they can be. */
export function registerShow (server: FastifyInstance, letters: DeadLetters): void {
  server.get<{ Params: { id: string } }>('/dead-letters/:id', {
    config: { access, operation: SHOW_OPERATION }
  }, async (request) => {
    return await letters.show(tenantOf(request), parseLetterId(request.params.id))
  })
}
