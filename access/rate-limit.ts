import rateLimit from '@fastify/rate-limit'
import { MillraceError } from '../contract/index.ts'
import { KEYS_MAX } from './access-file.ts'
import { AccessError } from './errors.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AccessLog } from './access-log.ts'
import type { Gate } from './gate.ts'

const WINDOW_MS = 1000
/** A shared counter that takes longer than this costs more than it is worth. */
const REDIS_MS_MAX = 100

/** Counts requests for several processes together. */
export interface SharedCounter {
  client: unknown
  close: () => Promise<void>
}

/** Counts a request; rejects with MillraceError `rate_limited` beyond the limit of its key. */
export type RateLimiter = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/**
 * Counts requests by key, over all routes, for principals that have a limit. Where the shared counter does
 * not answer, requests pass: a limit protects from a client that runs wild, and is not worth losing
 * everybody's events for.
 */
export async function createRateLimiter (
  server: FastifyInstance, { gate, counter }: { gate: Gate, counter: SharedCounter | undefined }
): Promise<RateLimiter> {
  await server.register(rateLimit, {
    global: false,
    timeWindow: WINDOW_MS,
    cache: KEYS_MAX + 1,
    max: ({ principal }) => gate.rateLimitOf(principal) as number,
    keyGenerator: ({ principal }) => principal.keyId ?? 'open',
    errorResponseBuilder: (_request, { max }) => {
      gate.metrics.refused.labels('rate_limited').inc()
      return new MillraceError('rate_limited', `This key has ${max} requests a second`)
    },
    skipOnError: true,
    nameSpace: 'millrace-rate-',
    ...(counter === undefined ? {} : { redis: counter.client })
  })
  return server.rateLimit() as RateLimiter
}

/** Throws AccessError `redis_missing` where the optional package is not installed. */
export async function connectSharedCounter (url: string, log: AccessLog): Promise<SharedCounter> {
  const { Redis } = await import('ioredis').catch((error: unknown) => {
    throw new AccessError('redis_missing', 'REDIS_URL needs the optional package ioredis', { cause: error })
  })
  const client = new Redis(url, {
    // Nothing waits for a Redis that is away.
    enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: REDIS_MS_MAX
  })
  let available = true
  const say = (now: boolean, error?: unknown): void => {
    if (now === available) return
    available = now
    if (now) log.info({}, 'requests are counted by Redis again')
    else log.warn({ err: error }, 'Redis does not answer: requests are not limited')
  }
  client.on('ready', () => { say(true) })
  client.on('error', (error) => { say(false, error) })
  return { client, close: async () => { client.disconnect() } }
}
