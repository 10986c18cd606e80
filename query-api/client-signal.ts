import { MillraceError } from '../contract/index.ts'
import type { FastifyReply } from 'fastify'

/**
 * Aborts when the client goes away before its answer is sent. (Fastify's `request.signal` will not do: it
 * aborts as soon as a request's body has been read to its end.)
 */
export function clientSignal (reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) {
      controller.abort(new MillraceError('invalid_request', 'The client closed the connection'))
    }
  })
  return controller.signal
}
