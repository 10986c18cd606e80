import { catalogue } from './questions/catalogue.ts'
import { questionReader } from './questions/ask.ts'
import { registerQuery } from './routes/query.ts'
import { registerStreams } from './routes/streams.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { QuestionClient } from './questions/question-client.ts'
import type { QuestionLimits } from './questions/ask.ts'
import type { RetentionDays } from './questions/catalogue.ts'
import type { Visibility } from './visibility.ts'
import type { Watermark } from './questions/watermark.ts'

export interface QuestionRoutesOptions {
  client: QuestionClient
  watermark: Watermark
  visibility: Visibility
  limits: QuestionLimits
  retentionDays: RetentionDays
  /** Epoch milliseconds. */
  now: () => number
}

/**
 * Any question about any stream: `POST /query`, saved questions, and the catalogue `GET /streams`. For a
 * server of `createServer`. The plugin owns its queue and ends it when the server closes.
 */
export const questionRoutes: FastifyPluginAsync<QuestionRoutesOptions> = async (server, options) => {
  const { client, watermark, visibility, limits, retentionDays, now } = options
  const questions = questionReader({ client, watermark, limits, onBatch: () => undefined })
  registerQuery(server, { questions, watermark, visibility, now })
  registerStreams(server, { streams: catalogue(retentionDays) })
  server.addHook('onClose', async () => questions.close())
}
