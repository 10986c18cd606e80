import { ERASURE_BODY } from '../erasure-request.ts'
import {
  DELETE_USER_OPERATION, ERASE_OPERATION, LIST_ERASURES_OPERATION, SHOW_ERASURE_OPERATION
} from '../operations.ts'
import { ParameterFaults, parseText, refuseUnknown, tenantOf, valuesOf } from '../../http/index.ts'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { Erasures } from '../erasures.ts'
import type { Receipt } from '../receipt.ts'

const BODY_BYTES_MAX = 16 * 1024
const PAGE_STANDARD = 50
const PAGE_MAX = 200
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * `POST /erasures { subject, streams? }` and `DELETE /user/{user_id}` (every stream) erase what was accepted
 * of a subject until now: 202 with the receipt so far and its `Location`, from when on no read shows it. `GET
 * /erasures?limit=&before=` lists the organisation's, newest first; `GET /erasures/{id}` is the receipt.
 */
export function registerErasures (server: FastifyInstance, { erasures }: { erasures: Erasures }): void {
  const access = { scope: 'admin' as const }
  const accepted = (reply: FastifyReply, receipt: Receipt): FastifyReply => {
    return reply.code(202).header('Location', `/erasures/${receipt.id}`).send(receipt)
  }
  server.post<{ Body: { subject: string, streams?: string[] } }>('/erasures', {
    config: { access, operation: ERASE_OPERATION }, bodyLimit: BODY_BYTES_MAX, schema: { body: ERASURE_BODY }
  }, async (request, reply) => {
    return accepted(reply, await erasures.create({ tenant: tenantOf(request), ...request.body }))
  })
  server.delete<{ Params: { user_id: string } }>('/user/:user_id', {
    config: { access, operation: DELETE_USER_OPERATION }
  }, async (request, reply) => {
    const subject = subjectOf(request.params.user_id)
    return accepted(reply, await erasures.create({ tenant: tenantOf(request), subject }))
  })
  server.get<{ Querystring: RawQuery }>('/erasures', {
    config: { access, operation: LIST_ERASURES_OPERATION }
  }, async (request) => {
    const { limit, before } = pageOf(request.query)
    const page = await erasures.list(tenantOf(request), limit, before)
    const last = page.length === limit ? page.at(-1) : undefined
    return { erasures: page, next: last === undefined ? null : `/erasures?limit=${limit}&before=${last.id}` }
  })
  server.get<{ Params: { id: string } }>('/erasures/:id', {
    config: { access, operation: SHOW_ERASURE_OPERATION }
  }, async (request) => {
    return await erasures.show(tenantOf(request), request.params.id)
  })
}

/** As the subject of an event has to be. */
function subjectOf (text: string): string {
  const faults = new ParameterFaults()
  const subject = parseText('user_id', text, faults)
  faults.throwIfAny()
  return subject as string
}

/** Throws MillraceError `invalid_parameter` with all faults. */
function pageOf (query: RawQuery): { limit: number, before: string | undefined } {
  const faults = new ParameterFaults()
  refuseUnknown(query, ['limit', 'before'], faults)
  const [limit = String(PAGE_STANDARD), ...moreLimits] = valuesOf(query, 'limit')
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > PAGE_MAX || moreLimits.length > 0) {
    faults.add('limit', 'invalid_parameter', `must be a whole number from 1 to ${PAGE_MAX}`)
  }
  const [before, ...moreBefore] = valuesOf(query, 'before')
  if ((before !== undefined && !UUID.test(before)) || moreBefore.length > 0) {
    faults.add('before', 'invalid_parameter', 'must be the id of an erasure')
  }
  faults.throwIfAny()
  return { limit: Number(limit), before }
}
