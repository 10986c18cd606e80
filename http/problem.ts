import { randomUUID } from 'node:crypto'
import { ERROR_CODES, MillraceError } from '../contract/index.ts'
import { toFaults } from './schema-faults.ts'
import type { IncomingMessage } from 'node:http'
import type { ErrorCode, Fault } from '../contract/index.ts'
import type { FastifyError, FastifyRequest } from 'fastify'
import type { SchemaFault } from './schema-faults.ts'

/** Faults listed in one answer, so that a hostile body cannot make a large one. */
const FAULTS_MAX = 20
const DETAIL_LENGTH_MAX = 256
const REQUEST_ID_HEADER = 'x-request-id'
const REQUEST_ID = /^[\w.:-]{1,128}$/
/** Seconds after which a refused but retryable request may be sent again. */
const RETRY_AFTER_SECONDS = 1

/** RFC 9457 problem details, with the code that clients branch on. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
  errors?: readonly Fault[]
  /** Of a 5xx: what the log knows it by; the header `x-request-id` of every problem has it too. */
  request_id?: string
}

/** What Fastify throws before a handler runs, by its own error code. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'empty_body',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long'
}

/**
 * The error that a caller meets for anything thrown while a request was served: known errors keep their code,
 * the rest becomes `internal`, whose cause stays in the log.
 */
export function toMillraceError (error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const { code, validation, message } = error as Partial<FastifyError> & { validation?: SchemaFault[] }
  if (validation !== undefined) return fromSchemaFaults(validation)
  const known = code === undefined ? undefined : FASTIFY_CODES[code]
  if (known !== undefined) return new MillraceError(known, message ?? '', { cause: error })
  if (code !== undefined && code in ERROR_CODES) {
    return new MillraceError(code as ErrorCode, message ?? '', { cause: error })
  }
  return new MillraceError('internal', 'Unexpected error', { cause: error })
}

/** The error that a request meets: a body that never came is told apart from one of the wrong shape. */
export function requestError (
  thrown: unknown, request: Pick<FastifyRequest, 'body' | 'routeOptions'>
): MillraceError {
  const bodyMissing = (thrown as FastifyError).validationContext === 'body' && request.body === undefined
  if (bodyMissing) return new MillraceError('empty_body', 'The body is empty')
  const error = toMillraceError(thrown)
  if (error === thrown) return error
  const detail = REFUSED_BODIES[error.code]?.(request)
  return detail === undefined ? error : new MillraceError(error.code, detail, { cause: thrown })
}

/** What Fastify leaves out when it refuses a body. */
const REFUSED_BODIES: Partial<Record<ErrorCode, (request: Pick<FastifyRequest, 'routeOptions'>) => string>> = {
  unsupported_media_type: () => 'Send the header content-type: application/json (or application/x-ndjson, for a batch of events)',
  body_too_large: ({ routeOptions: { bodyLimit } }) => `The body has more than ${bodyLimit} bytes`
}

/** The answer to an error: 5xx answers say nothing of what went wrong inside. */
export function toProblem (error: MillraceError, requestId?: string): Problem {
  const { status, title } = ERROR_CODES[error.code]
  const faults = error.faults.slice(0, FAULTS_MAX)
  return {
    type: `urn:millrace:error:${error.code}`,
    title,
    status,
    detail: status >= 500 ? title : error.message.slice(0, DETAIL_LENGTH_MAX),
    code: error.code,
    ...(faults.length === 0 ? {} : { errors: faults }),
    ...(status >= 500 && requestId !== undefined ? { request_id: requestId } : {})
  }
}

/** Headers of an error's answer, without the content type. Other answers carry no id: nobody needs it. */
export function problemHeaders (error: MillraceError, requestId: string): Record<string, string> {
  return {
    [REQUEST_ID_HEADER]: requestId, ...(error.retryable ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {})
  }
}

/** The id of a request: what its sender calls it, where that may stand in a log, else a new one. */
export function requestIdOf ({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const sent = headers[REQUEST_ID_HEADER]
  return typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : randomUUID()
}

function fromSchemaFaults (schemaFaults: readonly SchemaFault[]): MillraceError {
  const faults = toFaults(schemaFaults)
  const [first] = faults
  if (first === undefined) return new MillraceError('internal', 'A validation failed without a fault')
  return new MillraceError(first.code, `${first.path}: ${first.message}`, { faults })
}
