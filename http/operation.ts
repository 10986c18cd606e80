/**
 * What clients are told of a route: its entry in /openapi.json is made from this, from the body that it
 * validates, and from who may call it. Nothing here validates a request or changes an answer: handlers and
 * their parsers decide alone, and Fastify's serializer stays off.
 */
import { ERROR_CODES } from '../contract/index.ts'
import type { TObject, TSchema } from 'typebox'
import type { ErrorCode, JsonSchema } from '../contract/index.ts'
import type { RouteAccess, Scope } from './principal.ts'

/** Groups of operations, with what they are for; in this order. */
export const TAGS = {
  'User tags': 'Shoppers\' views and purchases, their profiles, and what was sold minute by minute.',
  'Page views': 'Who looked at which page.',
  Interactions: 'Clicks, funnels and journeys in apps, and reports on them.',
  Analytics: 'Clicks and impressions of an hour.',
  Visits: 'Page visits of an organisation\'s sites.',
  Events: 'Events of any stream, one or many a request.',
  Questions: 'Any aggregate question about any stream.',
  Administration: 'Looking after an organisation and its data.',
  Operations: 'Health and metrics, for whoever runs the system.'
} as const

export type Tag = keyof typeof TAGS

/** A body in one media type. */
export interface Content {
  schema: JsonSchema | TSchema
  example?: unknown
}

/** An answer that is no error. */
export interface Answer {
  description: string
  /** By media type; absent where there is no body. */
  content?: Readonly<Record<string, Content>>
  headers?: Readonly<Record<string, JsonSchema>>
}

export interface Operation {
  /** Name of the call in clients: unique, camel case. */
  id: string
  tag: Tag
  summary: string
  description?: string
  /** Parameters, each with a description. */
  path?: TObject
  query?: TObject
  headers?: TObject
  /** By media type, where the route validates its body without Fastify's schema. */
  body?: Readonly<Record<string, Content>>
  /** True where the body may be left out. */
  bodyOptional?: true
  /** Of the JSON body that the route's schema validates. */
  bodyExample?: unknown
  /** By status. */
  answers: Readonly<Record<number, Answer>>
  /** Error codes that this route has beside those of every route of its kind; see `refusalsOf`. */
  refusals?: readonly ErrorCode[]
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route that is no page for people has one; routes that have none say `schema: { hide: true }`. */
    operation?: Operation
  }
}

/** An answer of one JSON document. */
export function jsonAnswer (description: string, schema: Content['schema'], example?: unknown): Answer {
  return { description, content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } } }
}

/** What decides which errors a route can answer. */
export interface RouteKind {
  operation: Operation
  access?: RouteAccess | undefined
  /** True where the route validates a body. */
  hasBody: boolean
}

const ALWAYS = ['internal'] as const
const WITH_ACCESS = ['unauthorized', 'forbidden', 'rate_limited'] as const
const WITH_PATH_PARAMETERS = ['invalid_request', 'uri_too_long'] as const
const WITH_BODY = [
  'invalid_request', 'body_too_large', 'malformed_json', 'empty_body', 'unsupported_media_type', 'missing_field',
  'unknown_field', 'wrong_type', 'out_of_range', 'unknown_value', 'invalid_text', 'invalid_time', 'invalid_parameter'
] as const
/** What stands behind the routes of a scope, and may fail. */
const WITH_SCOPE: Record<Scope, readonly ErrorCode[]> = {
  ingest: ['log_unavailable', 'log_full', 'overloaded', 'shutting_down'],
  query: ['storage_unavailable', 'overloaded', 'shutting_down'],
  admin: []
}

/** The codes of all errors that a route can answer, in the order of ERROR_CODES. */
export function refusalsOf ({ operation, access, hasBody }: RouteKind): ErrorCode[] {
  const codes = new Set<ErrorCode>([
    ...ALWAYS,
    ...(access === undefined ? [] : [...WITH_ACCESS, ...WITH_SCOPE[access.scope]]),
    ...(operation.path === undefined ? [] : WITH_PATH_PARAMETERS),
    ...(hasBody ? WITH_BODY : []),
    ...operation.refusals ?? []
  ])
  return (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) => codes.has(code))
}
