import type { FastifyInstance } from 'fastify'
import type { CatalogueStream } from '../questions/catalogue.ts'

/** `GET /streams`: every stream with its fields, what may be asked of each, and how long its tables keep. */
export function registerStreams (server: FastifyInstance, { streams }: { streams: CatalogueStream[] }): void {
  server.get('/streams', { config: { access: { scope: 'query' } } }, async () => ({ streams }))
}
