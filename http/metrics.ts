import { Histogram, collectDefaultMetrics } from 'prom-client'
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Operation } from './operation.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Milliseconds of a clock that never goes back. */
    arrivedMs: number
  }
}

/** Upper bounds in seconds, closest around the promises: 50 ms a POST, 150 ms a profile, 1 s an aggregate. */
const DURATION_BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2, 5, 10]

const METRICS_OPERATION: Operation = {
  id: 'readMetrics',
  tag: 'Operations',
  summary: 'Read the metrics of the process',
  answers: {
    200: { description: 'Prometheus\' text format.', content: { 'text/plain': { schema: { type: 'string' } } } }
  }
}

/**
 * `/metrics` in Prometheus' text format, and the duration of every request by route pattern (never by the
 * path that a client sent) and status.
 */
export function registerMetrics (server: FastifyInstance, registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the headers of a request to its answer, as it is handed to the socket.',
    labelNames: ['method', 'route', 'status_code'] as const,
    buckets: DURATION_BUCKETS,
    registers: [registry]
  })
  const durationOf = seriesByLabels(duration)
  server.decorateRequest('arrivedMs', 0)
  server.addHook('onRequest', (request, _reply, done) => {
    request.arrivedMs = performance.now()
    done()
  })
  // Not 'onResponse': to wait for the end of each answer costs more than all the rest of this.
  server.addHook('onSend', (request, reply, _payload, done) => {
    const route = request.routeOptions.url ?? 'none'
    const seconds = (performance.now() - request.arrivedMs) / 1000
    durationOf(request.method, route, reply.statusCode).observe(seconds)
    done()
  })
  server.get('/metrics', { config: { operation: METRICS_OPERATION } }, async (_request, reply) => {
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}

type Series = ReturnType<Histogram<'method' | 'route' | 'status_code'>['labels']>

/** Looking a series up by its labels costs more than to observe it: each is looked up once. */
function seriesByLabels (duration: Histogram<'method' | 'route' | 'status_code'>) {
  const known = new Map<string, Series>()
  return (method: string, route: string, status: number): Series => {
    const name = `${method} ${status} ${route}`
    let series = known.get(name)
    if (series === undefined) known.set(name, series = duration.labels(method, route, String(status)))
    return series
  }
}
