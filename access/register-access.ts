import { MillraceError } from '../contract/index.ts'
import { addVary, allowOrigin, answerPreflight, collectAccessRoutes } from './cors.ts'
import { checkScope } from './gate.ts'
import { registerKeys } from './routes/keys.ts'
import { registerRateLimit } from './rate-limit.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Gate } from './gate.ts'
import type { SharedCounter } from './rate-limit.ts'

export interface RegisterAccessOptions {
  gate: Gate
  /** Without it each process counts the requests that it takes. */
  counter?: SharedCounter | undefined
}

/**
 * Guards a server: call it before the routes are registered. From then on a route whose config says `access`
 * is reached only by who may, within its rate, and finds who that is in `request.principal`; routes that say
 * nothing are open. Answers 401 `unauthorized`, 403 `forbidden`, 429 `rate_limited`, and CORS preflights.
 */
export async function registerAccess (
  server: FastifyInstance, { gate, counter }: RegisterAccessOptions
): Promise<void> {
  const routes = collectAccessRoutes(server)
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(SECURITY_HEADERS)
    if (answerPreflight(request, reply, gate.directory, routes)) return
    try {
      admit(request, reply, gate)
      done()
    } catch (error) {
      done(error as Error)
    }
  })
  server.addHook('onSend', (request, reply, _payload, done) => {
    if (request.routeOptions.config.access !== undefined) addVary(reply)
    done()
  })
  await registerRateLimit(server, { gate, counter })
  registerKeys(server, gate)
}

function admit (request: FastifyRequest, reply: FastifyReply, gate: Gate): void {
  const { access } = request.routeOptions.config
  if (access === undefined) return
  try {
    request.principal = gate.identify(request.headers, access)
    allowOrigin(request, reply, gate.directory)
    checkScope(request.principal, access)
  } catch (error) {
    if (error instanceof MillraceError) refuse(reply, error, gate)
    throw error
  }
}

function refuse (reply: FastifyReply, error: MillraceError, gate: Gate): void {
  gate.metrics.refused.labels(error.code).inc()
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer realm="millrace"')
}
