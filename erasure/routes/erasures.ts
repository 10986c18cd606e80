import { FORMATS, MillraceError, TEXT_LENGTH_MAX, streams as allStreams } from '../../contract/index.ts'
import { tenantOf } from '../../http/index.ts'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Erasures } from '../erasures.ts'
import type { Receipt } from '../receipt.ts'

const BODY_BYTES_MAX = 16 * 1024
const PAGE_STANDARD = 50
const PAGE_MAX = 200
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['subject'],
  properties: {
    subject: { type: 'string', minLength: 1, maxLength: TEXT_LENGTH_MAX, format: 'storable-text' },
    streams: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { type: 'string', enum: allStreams.map(({ name }) => name) }
    }
  }
}

interface PageQuery {
  limit?: unknown
  before?: unknown
}

/**
 * `POST /erasures { subject, streams? }` and `DELETE /user/{user_id}` (every stream) erase what was accepted
 * of a subject until now: 202 with the receipt so far and its `Location`, from when on no read shows it. `GET
 * /erasures?limit=&before=` lists the organisation's, newest first; `GET /erasures/{id}` is the receipt.
 */
export function registerErasures (server: FastifyInstance, { erasures }: { erasures: Erasures }): void {
  const config = { access: { scope: 'admin' as const } }
  const accepted = (reply: FastifyReply, receipt: Receipt): FastifyReply => {
    return reply.code(202).header('Location', `/erasures/${receipt.id}`).send(receipt)
  }
  server.post<{ Body: { subject: string, streams?: string[] } }>('/erasures', {
    config, bodyLimit: BODY_BYTES_MAX, schema: { body: BODY }
  }, async (request, reply) => {
    return accepted(reply, await erasures.create({ tenant: tenantOf(request), ...request.body }))
  })
  server.delete<{ Params: { user_id: string } }>('/user/:user_id', { config }, async (request, reply) => {
    const subject = subjectOf(request.params.user_id)
    return accepted(reply, await erasures.create({ tenant: tenantOf(request), subject }))
  })
  server.get<{ Querystring: PageQuery }>('/erasures', { config }, async (request) => {
    const limit = limitOf(request.query.limit)
    const page = await erasures.list(tenantOf(request), limit, beforeOf(request.query.before))
    const last = page.length === limit ? page.at(-1) : undefined
    return { erasures: page, next: last === undefined ? null : `/erasures?limit=${limit}&before=${last.id}` }
  })
  server.get<{ Params: { id: string } }>('/erasures/:id', { config }, async (request) => {
    return await erasures.show(tenantOf(request), request.params.id)
  })
}

/** As an event's subject has to be; an empty segment of a path is no subject. */
function subjectOf (text: string): string {
  const length = [...text].length
  if (length >= 1 && length <= TEXT_LENGTH_MAX && FORMATS['storable-text'](text)) return text
  throw new MillraceError('invalid_text', 'The user is empty, too long, or not storable Unicode')
}

function limitOf (value: unknown): number {
  if (value === undefined) return PAGE_STANDARD
  const limit = typeof value === 'string' && /^[1-9]\d{0,2}$/.test(value) ? Number(value) : 0
  if (limit >= 1 && limit <= PAGE_MAX) return limit
  throw new MillraceError('invalid_parameter', `limit is not a whole number from 1 to ${PAGE_MAX}`)
}

function beforeOf (value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && UUID.test(value)) return value
  throw new MillraceError('invalid_parameter', 'before is not the id of an erasure')
}
