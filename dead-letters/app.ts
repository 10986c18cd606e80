import { registerList, registerShow } from './routes/reading.ts'
import { registerBulkRetry, registerRetry } from './routes/retry.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { DeadLetters } from './dead-letters.ts'

/** Everything about dead letters, for a server of `createServer`. */
export const deadLetterRoutes: FastifyPluginAsync<{ letters: DeadLetters }> = async (server, { letters }) => {
  registerList(server, letters)
  registerShow(server, letters)
  registerBulkRetry(server, letters)
  registerRetry(server, letters)
}
