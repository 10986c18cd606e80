import Fastify from 'fastify'
import { OPEN_PRINCIPAL } from './principal.ts'
import { MillraceError } from '../contract/index.ts'
import { problemHeaders, requestError, requestIdOf, toProblem } from './problem.ts'
import { VALIDATION_OPTIONS } from './validation.ts'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** One event; a route may set its own. */
export const EVENT_BODY_BYTES_MAX = 64 * 1024
/** A path parameter of 1,024 characters of four bytes, percent-encoded. */
const PATH_PARAMETER_LENGTH_MAX = 1024 * 4 * 3

/** Characters of a URL in an answer. */
const URL_SHOWN_MAX = 128

export interface ServerOptions {
  log: FastifyBaseLogger
  /** Milliseconds until a request that is still being sent is cut off. */
  requestTimeoutMs?: number
}

/**
 * The HTTP server of every role: strict JSON validation, problem+json errors, a request id, 405 beside 404.
 * Roles register their routes on it; `finishRoutes` comes last.
 */
export function createServer ({ log, requestTimeoutMs = 10_000 }: ServerOptions): FastifyInstance {
  const onError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    sendProblem(error, { log, request, reply })
  }
  const server = Fastify({
    // Requests are counted and timed by metrics; only failures are worth a line, and have it below. With a
    // logger Fastify makes one for each request and listens to its end: a tenth of what an event costs.
    logger: false,
    bodyLimit: EVENT_BODY_BYTES_MAX,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    // What still arrives on an open connection is served; what it needs says that it is shutting down.
    return503OnClosing: false,
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: PATH_PARAMETER_LENGTH_MAX },
    ajv: { customOptions: { ...VALIDATION_OPTIONS, allErrors: true } },
    frameworkErrors: onError
  })
  server.decorateRequest('principal')
  server.addHook('onRequest', (request, _reply, done) => {
    request.principal = OPEN_PRINCIPAL
    done()
  })
  // Text is no body of ours: without its parser it is answered 415.
  server.removeContentTypeParser('text/plain')
  server.setErrorHandler(onError)
  server.setNotFoundHandler((request, reply) => {
    const seeAlso = request.url.startsWith('/events/') ? 'GET /streams lists the streams' : 'GET /docs lists the routes'
    const detail = `No route ${request.method} ${request.url.slice(0, URL_SHOWN_MAX)}: ${seeAlso}`
    onError(new MillraceError('route_not_found', detail), request, reply)
  })
  return server
}

/** Answers 405 for the methods that a known path lacks. To be called when every route is registered. */
export function finishRoutes (server: FastifyInstance, paths: Iterable<string>): void {
  for (const path of new Set(paths)) {
    const supported = server.supportedMethods.filter((method) => server.hasRoute({ method, url: path }))
    const refused = server.supportedMethods.filter((method) => !supported.includes(method))
    server.route({
      method: refused,
      url: path,
      schema: { hide: true } as object,
      // The body of a request that is refused anyway is not parsed.
      onRequest: async (request, reply) => {
        reply.header('allow', supported.toSorted().join(', '))
        throw new MillraceError('method_not_allowed', `${request.method} is not supported here`)
      },
      handler: async () => undefined
    })
  }
}

/** Remembers the path of every route that is registered on the server after this call. */
export function collectPaths (server: FastifyInstance): Set<string> {
  const paths = new Set<string>()
  server.addHook('onRoute', (route) => { paths.add(route.url) })
  return paths
}

interface Failed {
  log: FastifyBaseLogger
  request: FastifyRequest
  reply: FastifyReply
}

function sendProblem (thrown: unknown, { log, request, reply }: Failed): void {
  const error = requestError(thrown, request)
  if (error.status >= 500) {
    // Refusals come in floods, exactly when the system is behind: their line is short.
    const { message, cause } = error
    const why = cause instanceof Error && cause.message !== message ? `${message}: ${cause.message}` : message
    const reason = error.retryable ? { reason: why } : { err: error, cause }
    log.error({ reqId: request.id, ...reason, code: error.code }, 'request failed')
  }
  reply
    .code(error.status)
    .headers(problemHeaders(error, request.id))
    .type('application/problem+json')
    .send(JSON.stringify(toProblem(error, request.id)))
}
