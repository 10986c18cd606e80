/**
 * Every error code that a caller of millrace can meet, in one table: what it means, the HTTP status it is
 * answered with, and whether the same request may be sent again. docs/errors.md is tested against this table.
 */
export const ERROR_CODES = {
  malformed_json: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  empty_body: { status: 400, retryable: false, title: 'A body is required' },
  missing_field: { status: 400, retryable: false, title: 'A required field is missing' },
  unknown_field: { status: 400, retryable: false, title: 'The stream has no such field' },
  wrong_type: { status: 400, retryable: false, title: 'A value has the wrong JSON type' },
  out_of_range: { status: 400, retryable: false, title: 'A number or time is outside its range' },
  unknown_value: { status: 400, retryable: false, title: 'A value is not one of the allowed ones' },
  invalid_text: { status: 400, retryable: false, title: 'A string is empty, too long, or not storable Unicode' },
  invalid_time: { status: 400, retryable: false, title: 'A time is not valid RFC 3339, or outside its range' },
  invalid_time_range: { status: 400, retryable: false, title: 'The time range is malformed, reversed or too long' },
  invalid_limit: { status: 400, retryable: false, title: 'The limit is not a whole number in its range' },
  invalid_aggregates: { status: 400, retryable: false, title: 'The aggregates are missing, unknown or repeated' },
  invalid_action: { status: 400, retryable: false, title: 'The action is missing or unknown' },
  invalid_parameter: { status: 400, retryable: false, title: 'A parameter or header is malformed' },
  malformed_encoding: { status: 400, retryable: false, title: 'The body does not decompress' },
  invalid_query: { status: 400, retryable: false, title: 'The question does not fit the catalogue or itself' },
  invalid_request: { status: 400, retryable: false, title: 'The request is not valid HTTP' },
  unauthorized: { status: 401, retryable: false, title: 'A valid API key is required' },
  forbidden: { status: 403, retryable: false, title: 'The API key may not be used for this' },
  route_not_found: { status: 404, retryable: false, title: 'There is no such route' },
  erasure_not_found: { status: 404, retryable: false, title: 'There is no such erasure' },
  dead_letter_not_found: { status: 404, retryable: false, title: 'There is no such dead letter' },
  method_not_allowed: { status: 405, retryable: false, title: 'The route does not support this method' },
  not_acceptable: { status: 406, retryable: false, title: 'The answer has none of the accepted media types' },
  already_retried: { status: 409, retryable: false, title: 'The dead letter was retried already' },
  body_too_large: { status: 413, retryable: false, title: 'The body is larger than the limit' },
  too_many_events: { status: 413, retryable: false, title: 'The batch has too many events' },
  uri_too_long: { status: 414, retryable: false, title: 'A path segment is longer than the limit' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The media type is not supported' },
  dead_letter_undecodable: { status: 422, retryable: false, title: 'The dead letter holds no event' },
  query_too_expensive: { status: 422, retryable: false, title: 'The question would read too many rows' },
  query_too_large: { status: 422, retryable: false, title: 'The question needs too much memory or has too many rows' },
  query_timeout: { status: 422, retryable: false, title: 'The question took too long' },
  unsupported_encoding: { status: 415, retryable: false, title: 'The content encoding is not supported' },
  rate_limited: { status: 429, retryable: true, title: 'The API key has used up its requests for now' },
  internal: { status: 500, retryable: false, title: 'An internal fault' },
  erasure_not_configured: { status: 501, retryable: false, title: 'Erasure needs the setting ERASURE_KEY' },
  log_unavailable: { status: 503, retryable: true, title: 'The event log did not confirm in time' },
  log_full: { status: 503, retryable: true, title: 'The event log is full' },
  overloaded: { status: 503, retryable: true, title: 'Too many requests are waiting' },
  shutting_down: { status: 503, retryable: true, title: 'The server is shutting down' },
  storage_unavailable: { status: 503, retryable: true, title: 'The database did not answer in time' }
} as const satisfies Record<string, { status: number, retryable: boolean, title: string }>

export type ErrorCode = keyof typeof ERROR_CODES

/** One fault inside a request: where it is (JSON pointer or parameter name) and what is wrong with it. */
export interface Fault {
  path: string
  code: ErrorCode
  message: string
}

/**
 * An error that reaches a caller. `code` is what code branches on, never the message; `detail` is for people
 * and holds nothing secret. For 5xx codes the HTTP layer keeps `detail` and `cause` in the log and answers
 * the title alone.
 */
export class MillraceError extends Error {
  readonly code: ErrorCode
  readonly faults: readonly Fault[]

  constructor (
    code: ErrorCode, detail: string, options: { cause?: unknown, faults?: readonly Fault[] } = {}
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MillraceError'
    this.code = code
    this.faults = options.faults ?? []
  }

  get status (): number {
    return ERROR_CODES[this.code].status
  }

  get retryable (): boolean {
    return ERROR_CODES[this.code].retryable
  }
}
