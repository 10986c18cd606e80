/**
 * The reference that ingest is measured against: Fastify that validates the same events and answers 204, and
 * stores nothing. Listens on a free port of loopback and ends on SIGTERM.
 */
import Fastify from 'fastify'
import { FORMATS, userTags } from '../contract/index.ts'

const server = Fastify({
  ajv: {
    customOptions: {
      allErrors: true,
      coerceTypes: false,
      removeAdditional: false,
      useDefaults: false,
      strict: true,
      allowUnionTypes: true,
      formats: FORMATS
    }
  }
})
server.post('/user_tags', { schema: { body: userTags.eventSchema } }, async (_request, reply) => {
  return reply.code(204).send()
})
const url = await server.listen({ host: '127.0.0.1', port: 0 })
process.send?.({ ready: { url } })
process.once('SIGTERM', () => { process.exit(0) })
process.once('disconnect', () => { process.exit(0) })
