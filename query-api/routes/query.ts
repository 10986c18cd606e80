import { MillraceError } from '../../contract/index.ts'
import { ParameterFaults, refuseUnknown, tenantOf, toMillraceError } from '../../http/index.ts'
import { clientSignal } from '../client-signal.ts'
import { toCsv, toNdjson } from '../questions/answer.ts'
import { formatOf, negotiate } from '../questions/media-type.ts'
import { parseQuestion } from '../questions/parse-question.ts'
import { QUESTION_LIMITS } from '../questions/question.ts'
import { questionSchema } from '../questions/question-schema.ts'
import { canonicalText, openSavedQuestion, questionEtag, saveQuestion } from '../questions/saved-question.ts'
import { COMPLETE_UP_TO_HEADER } from '../questions/watermark.ts'
import { ASK_OPERATION, ASK_SAVED_OPERATION, SAVE_QUESTION_OPERATION } from '../operations/questions.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { Cell } from '../questions/answer.ts'
import type { Ask, Asked } from '../questions/ask.ts'
import type { MediaType } from '../questions/media-type.ts'
import type { QuestionInput } from '../questions/parse-question.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { Visibility } from '../visibility.ts'
import type { Watermark } from '../questions/watermark.ts'

export interface QueryOptions {
  questions: SharedRead<Ask, Asked>
  watermark: Watermark
  visibility: Visibility
  /** Epoch milliseconds. */
  now: () => number
}

/**
 * `POST /query` answers a question (docs/query.md); `POST /queries` gives its URL, `GET /query/{id}`, which
 * answers 304 while nothing more of the stream was stored.
 */
export function registerQuery (server: FastifyInstance, options: QueryOptions): void {
  const { questions, watermark, visibility, now } = options
  const access = { scope: 'query' as const }
  const ask = async (
    input: QuestionInput, mediaType: MediaType, request: FastifyRequest, reply: FastifyReply
  ): Promise<FastifyReply> => {
    const question = parseQuestion(input)
    const read = {
      tenant: tenantOf(request), question, key: canonicalText(input), format: formatOf(mediaType)
    }
    return sendAnswer(reply, mediaType, input.stream, await questions.read(read, clientSignal(reply)))
  }
  const body = {
    bodyLimit: QUESTION_LIMITS.bodyBytes,
    schema: { body: questionSchema },
    preValidation: async (request: FastifyRequest) => {
      refuseParameters(request)
      refuseDeep(request.body)
    }
  }
  server.post<{ Body: QuestionInput }>('/query', { ...body, config: { access, operation: ASK_OPERATION } }, async (request, reply) => {
    return ask(request.body, negotiate(request.headers.accept), request, reply)
  })
  server.post<{ Body: QuestionInput }>('/queries', {
    ...body, config: { access, operation: SAVE_QUESTION_OPERATION }
  }, async (request, reply) => {
    parseQuestion(request.body)
    const id = saveQuestion(request.body)
    return reply.header('Location', `/query/${id}`).send({ id, url: `/query/${id}` })
  })
  server.get<{ Params: { id: string } }>('/query/:id', {
    config: { access, operation: ASK_SAVED_OPERATION }
  }, async (request, reply) => {
    refuseParameters(request)
    const input = validInput(openSavedQuestion(request.params.id), request)
    const mediaType = negotiate(request.headers.accept)
    parseQuestion(input)
    const { version: stored } = await watermark.stateOf(input.stream)
    reply.headers({ 'Cache-Control': 'private, no-cache', Vary: 'Accept' })
    if (stored !== undefined) {
      const [tenant, question] = [tenantOf(request), canonicalText(input)]
      const version = `${stored} ${(await visibility.of(tenant)).version}`
      const etag = questionEtag({ tenant, question, mediaType, version, nowMs: now() })
      reply.header('ETag', etag)
      if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send()
    }
    return ask(input, mediaType, request, reply)
  })
}

/** A question is all in its body: what stands in the query would be left out without a word. */
function refuseParameters (request: FastifyRequest): void {
  const faults = new ParameterFaults()
  refuseUnknown(request.query as RawQuery, [], faults)
  faults.throwIfAny()
}

function validInput (value: unknown, request: FastifyRequest): QuestionInput {
  refuseDeep(value)
  const validate = request.compileValidationSchema(questionSchema as unknown as { [key: string]: unknown })
  if (validate(value)) return value as QuestionInput
  throw toMillraceError({ validation: validate.errors })
}

/** Looked at without recursion, before anything recursive does. */
function refuseDeep (value: unknown): void {
  let level = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > QUESTION_LIMITS.jsonDepth) {
      throw new MillraceError('invalid_query', `must not nest deeper than ${QUESTION_LIMITS.jsonDepth}`)
    }
    level = level.flatMap((item) => typeof item === 'object' && item !== null ? Object.values(item) : [])
  }
}

/** RFC 9110 section 13.1.2: weak comparison, a list, or `*`. */
function matches (header: string | undefined, etag: string): boolean {
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '')
  return header !== undefined &&
    header.split(',').some((tag) => tag.trim() === '*' || opaque(tag) === opaque(etag))
}

function sendAnswer (
  reply: FastifyReply, mediaType: MediaType, stream: string, { meta, columns, body }: Asked
): FastifyReply {
  reply.type(mediaType === 'text/csv' ? 'text/csv; charset=utf-8; header=present' : mediaType)
  reply.header('Vary', 'Accept')
  // The answer's own watermark, where a shared one was asked a moment earlier.
  if (meta.complete_up_to !== null) reply.header(COMPLETE_UP_TO_HEADER, meta.complete_up_to)
  if (mediaType === 'application/json') return reply.send({ stream, columns, rows: body, ...meta })
  const headers = {
    'X-Source': meta.source,
    'X-Elapsed-Ms': meta.elapsed_ms,
    'X-Rows-Read': meta.rows_read,
    'X-Bytes-Read': meta.bytes_read,
    'X-Truncated': meta.truncated
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) reply.header(name, String(value))
  }
  if (Buffer.isBuffer(body)) return reply.send(body)
  const table = { columns, rows: body as Cell[][] }
  return reply.send(mediaType === 'text/csv' ? toCsv(table) : toNdjson(table))
}
