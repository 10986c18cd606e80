import type { FastifyRequest } from 'fastify'

/** What a key may be used for. */
export type Scope = 'ingest' | 'query' | 'admin'

/** What a route asks of whoever calls it; a route without it is open (health, metrics). */
export interface RouteAccess {
  scope: Scope
  /** True: a key is needed even where the system runs open. */
  keyRequired?: boolean
}

/** Who makes a request. */
export interface Principal {
  tenant: string
  scopes: readonly Scope[]
  /** Undefined where the system runs open and nobody showed a key. */
  keyId?: string
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal
  }
  interface FastifyContextConfig {
    access?: RouteAccess
  }
}

/** Everybody, while the system runs open: the tenant `default`. */
export const OPEN_PRINCIPAL: Principal = Object.freeze({
  tenant: 'default', scopes: Object.freeze(['ingest', 'query', 'admin'] as const)
})

/** Whose data a request writes and reads: the one place that decides it. */
export function tenantOf (request: FastifyRequest): string {
  return request.principal.tenant
}
