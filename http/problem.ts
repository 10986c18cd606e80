import { ERROR_CODES, MillraceError } from '../contract/index.ts'
import type { ErrorCode, Fault } from '../contract/index.ts'
import type { FastifyError, FastifyRequest } from 'fastify'

/** Faults listed in one answer, so that a hostile body cannot make a large one. */
const FAULTS_MAX = 20
const DETAIL_LENGTH_MAX = 256
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

/** What a failed keyword of a JSON Schema means to a client. */
const KEYWORD_CODES: Record<string, ErrorCode> = {
  required: 'missing_field',
  additionalProperties: 'unknown_field',
  type: 'wrong_type',
  minimum: 'out_of_range',
  maximum: 'out_of_range',
  enum: 'unknown_value',
  minLength: 'invalid_text',
  maxLength: 'invalid_text'
}

/** One error of Ajv. */
export interface SchemaFault {
  keyword: string
  instancePath: string
  params: Record<string, unknown>
  message?: string
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
export function requestError (thrown: unknown, request: Pick<FastifyRequest, 'body'>): MillraceError {
  const bodyMissing = (thrown as FastifyError).validationContext === 'body' && request.body === undefined
  return bodyMissing ? new MillraceError('empty_body', 'The body is empty') : toMillraceError(thrown)
}

/** The answer to an error: 5xx answers say nothing of what went wrong inside. */
export function toProblem (error: MillraceError): Problem {
  const { status, title } = ERROR_CODES[error.code]
  const faults = error.faults.slice(0, FAULTS_MAX)
  return {
    type: `urn:millrace:error:${error.code}`,
    title,
    status,
    detail: status >= 500 ? title : error.message.slice(0, DETAIL_LENGTH_MAX),
    code: error.code,
    ...(faults.length === 0 ? {} : { errors: faults })
  }
}

/** Headers of an error's answer, without the content type. */
export function problemHeaders (error: MillraceError): Record<string, string> {
  return error.retryable ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}
}

function fromSchemaFaults (schemaFaults: readonly SchemaFault[]): MillraceError {
  const faults = schemaFaults.map(toFault)
  const [first] = faults
  if (first === undefined) return new MillraceError('internal', 'A validation failed without a fault')
  return new MillraceError(first.code, `${first.path}: ${first.message}`, { faults })
}

export function toFault ({ keyword, instancePath, params, message }: SchemaFault): Fault {
  const member = params['missingProperty'] ?? params['additionalProperty']
  const path = member === undefined ? instancePath : `${instancePath}/${String(member).slice(0, 128)}`
  return { path: path === '' ? '/' : path, code: faultCode(keyword, params), message: message ?? keyword }
}

function faultCode (keyword: string, params: Record<string, unknown>): ErrorCode {
  if (keyword === 'format') return params['format'] === 'event-time' ? 'invalid_time' : 'invalid_text'
  return KEYWORD_CODES[keyword] ?? 'invalid_parameter'
}
