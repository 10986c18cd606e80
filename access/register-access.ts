import { MillraceError } from '../contract/index.ts'
import { addVary, allowOrigin, answerPreflight, collectAccessRoutes, isCacheable } from './cors.ts'
import { checkScope } from './gate.ts'
import { registerKeys } from './routes/keys.ts'
import { createRateLimiter } from './rate-limit.ts'
import { setSecurityHeaders } from './security-headers.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Gate } from './gate.ts'
import type { RouteAccess } from '../http/index.ts'
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
  const limit = await createRateLimiter(server, { gate, counter })
  server.addHook('onRequest', (request, reply, done) => {
    if (answerPreflight(request, reply, gate.directory, routes)) return
    const { access } = request.routeOptions.config
    if (access === undefined) return done()
    try {
      admit(request, reply, { gate, access })
    } catch (error) {
      return done(error as Error)
    }
    // Nobody pays for counting what has no limit.
    if (gate.rateLimitOf(request.principal) === undefined) return done()
    limit(request, reply).then(() => done(), done)
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    if (payload !== undefined) setSecurityHeaders(reply)
    const varies = isCacheable(request) || reply.hasHeader('vary')
    if (varies && request.routeOptions.config.access !== undefined) addVary(reply)
    done()
  })
  registerKeys(server, gate)
}

interface Admission {
  gate: Gate
  access: RouteAccess
}

/** Throws MillraceError `unauthorized` or `forbidden`. */
function admit (request: FastifyRequest, reply: FastifyReply, { gate, access }: Admission): void {
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
