import type { FastifyRequest } from 'fastify'

/** The tenant of every event until keys name one. */
const DEFAULT_TENANT = 'default'

/** Whose data a request may read: the one place that decides it. */
export function tenantOf (_request: FastifyRequest): string {
  return DEFAULT_TENANT
}
