import { pino } from 'pino'
import { Registry } from 'prom-client'
import { insertBatch } from '../../clickhouse/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { NOTHING_HIDDEN, clickHouseQueryClient, queryApiConfig, queryApiRoutes } from '../../query-api/index.ts'
import type { FastifyInstance } from 'fastify'
import type { Stream } from '../../contract/index.ts'
import type { TestDatabase } from '../support/clickhouse.ts'

/** Now, for every test: windows that end now are compared with a model. */
export const NOW = Date.UTC(2024, 2, 1, 0, 10, 30, 500)

const CONFIG = queryApiConfig({
  PROFILE_BATCH_SIZE_MAX: 64,
  PROFILE_BATCH_BYTES_MAX: 65_536,
  PROFILE_QUERIES_MAX: 2,
  PROFILE_QUERY_INTERVAL_MS: 0,
  STATISTICS_QUERY_INTERVAL_MS: 0,
  AGGREGATES_QUERIES_MAX: 2,
  QUERY_QUEUE_MAX: 1000,
  QUERY_TIMEOUT_MS: 60_000
})

export interface SystemsServer {
  server: FastifyInstance
  /** Puts events into a stream's tables as the processors do. */
  store: <E extends object>(stream: Stream<E, any>, events: readonly E[], tenant?: string) => Promise<void>
  get: (
    path: string, query?: Record<string, string | string[]>, headers?: Record<string, string>
  ) => Promise<{ status: number, body: any, text: string, headers: Record<string, unknown> }>
}

/** A server of the query API over a database; the header `x-tenant` says who asks. */
export async function startSystemsServer ({ readClient, writeClient }: TestDatabase): Promise<SystemsServer> {
  const server = createServer({ log: pino({ level: 'silent' }) })
  server.addHook('onRequest', async (request) => {
    const tenant = request.headers['x-tenant']
    if (typeof tenant === 'string') request.principal = { tenant, scopes: ['query'] }
  })
  const paths = collectPaths(server)
  await server.register(queryApiRoutes, {
    client: clickHouseQueryClient(readClient, NOTHING_HIDDEN),
    config: CONFIG,
    registry: new Registry(),
    now: () => NOW
  })
  finishRoutes(server, paths)
  let offset = 0
  return {
    server,
    store: async (stream, events, tenant = 'default') => {
      const optional = stream.fields.filter((field) => field.optional)
      const absent = Object.fromEntries(optional.map(({ name }) => [name, null]))
      const rows = events.map((event) => {
        const record = stream.toRecord(event, { tenant, eventId: `e${offset}`, eventIdOrigin: 'SERVER' })
        const position = { partition: 0, offset: offset++, receivedAtMs: Date.now() }
        return stream.toRow({ ...absent, ...record }, position)
      })
      await insertBatch({ client: writeClient, table: stream.tables.raw, rows, token: `${stream.name}-${offset}` })
    },
    get: async (path, query = {}, headers = {}) => {
      const answer = await server.inject({ method: 'GET', url: path, query, headers })
      const text = answer.body
      const body = text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined
      return { status: answer.statusCode, body, text, headers: answer.headers }
    }
  }
}
