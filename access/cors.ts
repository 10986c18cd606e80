/**
 * CORS by allow list: pages of a web origin may call with the keys of the organisations that list it. The
 * answer to a request is readable where the organisation of its key lists the origin; a preflight carries no
 * key, and is answered where any organisation does.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AccessDirectory } from './directory.ts'

/** Headers of ours that a page may send. */
const HEADERS_ALLOWED = [
  'accept', 'authorization', 'content-encoding', 'content-type', 'idempotency-key', 'if-none-match', 'x-api-key'
].join(', ')
/** Seconds that a browser need not ask again. */
const PREFLIGHT_AGE_SECONDS = 600

/** Says which routes exist with which methods: those that ask for access, registered after this call. */
export type AccessRoutes = (url: string) => readonly string[]

export function collectAccessRoutes (server: FastifyInstance): AccessRoutes {
  const methods = new Map<string, string[]>()
  server.addHook('onRoute', ({ url, method, config }) => {
    if (config?.access === undefined) return
    methods.set(url, [...methods.get(url) ?? [], ...[method].flat()])
  })
  return (url) => methods.get(url) ?? []
}

/** Answers a preflight for a route that exists, from an origin that is listed. True where it did. */
export function answerPreflight (
  request: FastifyRequest, reply: FastifyReply, directory: AccessDirectory, routes: AccessRoutes
): boolean {
  const { origin, 'access-control-request-method': method } = request.headers
  if (request.method !== 'OPTIONS' || origin === undefined || method === undefined) return false
  const methods = routes(request.routeOptions.url ?? '')
  if (!methods.includes(method) || !directory.knowsOrigin(origin)) return false
  reply.code(204).headers({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': HEADERS_ALLOWED,
    'access-control-max-age': String(PREFLIGHT_AGE_SECONDS),
    vary: 'origin, access-control-request-method'
  }).send()
  return true
}

/** What an answer depends on: caches must not hand one organisation's answer to another. */
const VARY = 'origin, x-api-key, authorization'

/** May a cache keep the answer? RFC 9110, section 9.2.3; of POST only where the answer says for how long. */
export function isCacheable ({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Completes the `vary` of an answer, whatever its route says. */
export function addVary (reply: FastifyReply): void {
  const own = reply.getHeader('vary')
  reply.header('vary', own === undefined ? VARY : `${String(own)}, ${VARY}`)
}

/** Lets the page that sent a request read its answer, where its tenant lists the page's origin. */
export function allowOrigin (request: FastifyRequest, reply: FastifyReply, directory: AccessDirectory): void {
  const { origin } = request.headers
  if (origin === undefined || !directory.allowsOrigin(request.principal.tenant, origin)) return
  reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': '*' })
}
