import { Type } from 'typebox'
import { MillraceError, TEXT_LENGTH_MAX, analytics, formatTime, fromEpoch } from '../contract/index.ts'
import { createEventReader } from './event-reader.ts'
import type { FastifyRequest } from 'fastify'
import type { AnalyticsEvent, ErrorCode } from '../contract/index.ts'

const PARAMETERS = ['timestamp', 'user', 'event', 'event_id'] as const

/** For documentation: whatever comes is answered 204. */
export const ANALYTICS_QUERY = Type.Object({
  timestamp: Type.Optional(Type.String({
    description: 'Seconds, or from 10^11 on milliseconds, since 1970.', examples: ['1224567997']
  })),
  user: Type.Optional(Type.String({ description: 'Who did it.', examples: ['u1'] })),
  event: Type.Optional(Type.String({ description: '`click` or `impression`.', examples: ['click'] })),
  event_id: Type.Optional(Type.String({ description: 'Identity of the event, for safe retries.' }))
})

/**
 * Reads the event of an analytics request from its query; other parameters are ignored. It throws
 * MillraceError where that is no event.
 */
export function createAnalyticsReader (): (request: FastifyRequest) => AnalyticsEvent {
  const read = createEventReader<AnalyticsEvent>(analytics)
  return (request) => {
    const query = request.query as Record<string, string | string[]>
    const item: Record<string, unknown> = {}
    for (const name of PARAMETERS) {
      const value = query[name]
      if (Array.isArray(value)) throw refusal(name, 'invalid_parameter', 'is repeated')
      if (value !== undefined) item[name] = name === 'timestamp' ? readTimestamp(value) : value
    }
    const { event, fault } = read(item)
    if (fault !== undefined) throw refusal(fault.path, fault.code, fault.message)
    return event
  }
}

/** The user that a request names, whatever else is wrong with it. */
export function readAnalyticsUser ({ query }: FastifyRequest): string | undefined {
  const { user } = query as Record<string, string | string[]>
  return typeof user === 'string' && [...user].length <= TEXT_LENGTH_MAX && user.isWellFormed() ? user : undefined
}

function readTimestamp (text: string): string {
  if (!/^\d{1,20}$/.test(text)) {
    throw refusal('timestamp', 'invalid_time', 'is no whole number of seconds or milliseconds since 1970')
  }
  const ms = fromEpoch(Number(text))
  if (ms === undefined) throw refusal('timestamp', 'out_of_range', 'is after the year 2105')
  return formatTime(ms)
}

function refusal (path: string, code: ErrorCode, message: string): MillraceError {
  return new MillraceError(code, `${path}: ${message}`, { faults: [{ path, code, message }] })
}
