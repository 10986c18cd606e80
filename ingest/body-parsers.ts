/**
 * How the body of an event route becomes events: JSON of one event; JSON or NDJSON of a batch; or nothing at
 * all, where a route takes whatever comes. The limit of the route holds for what is sent and for what comes
 * out of it.
 */
import { isUtf8 } from 'node:buffer'
import { MillraceError } from '../contract/index.ts'
import { inflate } from './inflate.ts'
import { parseBatch, parseLines } from './event-batch.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Bytes of an ignored body that are kept, for whoever looks at the dead letter. */
const IGNORED_BODY_BYTES_KEPT = 8 * 1024

/** `application/json` with one event, which keys cannot poison. */
export function parseSingleEvents (server: FastifyInstance): void {
  const parseJson = server.getDefaultJsonParser('error', 'error')
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (
    request: FastifyRequest, body: Buffer, done: (error: Error | null, event?: unknown) => void
  ) => {
    // Most bodies are not compressed, and need not wait for a promise.
    if (request.headers['content-encoding'] === undefined) parseJson(request, toText(body), done)
    else readText(request, body).then((text) => { parseJson(request, text, done) }, done)
  })
}

/** `application/json` and `application/x-ndjson` with an EventBatch. */
export function parseEventBatches (server: FastifyInstance): void {
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (
    request: FastifyRequest, body: Buffer
  ) => parseBatch(await readText(request, body)))
  server.addContentTypeParser('application/x-ndjson', { parseAs: 'buffer' }, async (
    request: FastifyRequest, body: Buffer
  ) => parseLines(await readText(request, body)))
}

/** Any body of any type is read to its end, and its beginning kept as text. */
export function ignoreBodies (server: FastifyInstance): void {
  // A type that is none would be refused before a parser is asked.
  server.addHook('onRequest', async (request) => { delete request.raw.headers['content-type'] })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', async (_request: FastifyRequest, payload: AsyncIterable<Buffer>) => {
    const kept: Buffer[] = []
    let bytes = 0
    for await (const chunk of payload) {
      if (bytes < IGNORED_BODY_BYTES_KEPT) kept.push(chunk)
      bytes += chunk.length
    }
    return Buffer.concat(kept).toString('utf8', 0, IGNORED_BODY_BYTES_KEPT)
  })
}

async function readText (request: FastifyRequest, body: Buffer): Promise<string> {
  const coding = request.headers['content-encoding']
  const bytesMax = request.routeOptions.bodyLimit as number
  return toText(coding === undefined ? body : await inflate(coding, body, bytesMax))
}

function toText (body: Buffer): string {
  if (!isUtf8(body)) throw new MillraceError('malformed_json', 'The body is not UTF-8')
  return body.toString()
}
