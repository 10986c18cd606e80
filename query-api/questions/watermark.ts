import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The one stream that a route reads; the header of a route without it is about all streams. */
    stream?: string
  }
}

/** How far the answers reach. */
export interface WatermarkState {
  /**
   * Epoch milliseconds by this process' clock: every event whose acceptance was answered before this instant
   * is in what is read from now on, except events that waited in the spool of another process meanwhile.
   * Undefined where nothing can be promised.
   */
  completeUpToMs: number | undefined
  /** Changes whenever more of the stream is stored; undefined where that cannot be known. */
  version: string | undefined
}

/**
 * What the query API knows of the log. Never rejects: a log that does not answer makes both members
 * undefined, and reads go on without a promise. Calls are cheap: the state may be a fraction of a second old,
 * never newer than the data.
 */
export interface Watermark {
  stateOf: (stream: string) => Promise<WatermarkState>
}

export const COMPLETE_UP_TO_HEADER = 'X-Complete-Up-To'

/**
 * Gives the answers of the routes with access scope `query` the header `X-Complete-Up-To`. The watermark is
 * asked before the route's handler reads anything, so it never claims what the answer lacks.
 */
export function addCompleteUpTo (
  server: FastifyInstance, { watermark, streams }: { watermark: Watermark, streams: readonly string[] }
): void {
  server.addHook('preHandler', async (request, reply) => {
    const { access, stream } = request.routeOptions.config
    if (access?.scope !== 'query') return
    const names = stream === undefined ? streams : [stream]
    const states = await Promise.all(names.map((name) => watermark.stateOf(name)))
    const instants = states.map(({ completeUpToMs }) => completeUpToMs)
    if (instants.every((ms) => ms !== undefined)) {
      reply.header(COMPLETE_UP_TO_HEADER, new Date(Math.min(...instants)).toISOString())
    }
  })
  server.addHook('onSend', async (_request, reply, payload) => {
    if (reply.statusCode >= 400) reply.removeHeader(COMPLETE_UP_TO_HEADER)
    return payload
  })
}
