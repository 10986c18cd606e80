import type { FastifyInstance } from 'fastify'
import { STREAMS_OPERATION } from '../operations/questions.ts'
import type { CatalogueStream } from '../questions/catalogue.ts'

/** `GET /streams`: every stream with its fields, what may be asked of each, and how long its tables keep. */
export function registerStreams (server: FastifyInstance, { streams }: { streams: CatalogueStream[] }): void {
  const config = { access: { scope: 'query' as const }, operation: STREAMS_OPERATION }
  server.get('/streams', { config }, async () => ({ streams }))
}
