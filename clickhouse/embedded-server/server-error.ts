/** An exception in ClickHouse's own terms: its number and name, as the HTTP interface reports it. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly retryable = false
  readonly code: number

  /** `message` is the whole text that clients parse: `Code: N. DB::Exception: … (NAME)`. */
  constructor (code: number, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** The faults that this server finds itself, by ClickHouse's names. */
const CODES = {
  BAD_ARGUMENTS: 36,
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  QUERY_IS_TOO_LARGE: 229,
  ABORTED: 236,
  ZLIB_INFLATE_FAILED: 354,
  INTO_OUTFILE_NOT_ALLOWED: 358,
  ACCESS_DENIED: 497,
  AUTHENTICATION_FAILED: 516
} as const

export function serverError (name: keyof typeof CODES, text: string, cause?: unknown): ServerError {
  const code = CODES[name]
  return new ServerError(code, `Code: ${code}. DB::Exception: ${text}. (${name})`, { cause })
}

const STATUSES: ReadonlyMap<number, number> = new Map([
  ...statuses(400, [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376,
    427, 441, 675, 676]),
  ...statuses(401, [194]),
  ...statuses(403, [192, 193, 497, 512, 516]),
  ...statuses(404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]),
  ...statuses(408, [159]),
  ...statuses(413, [229]),
  ...statuses(501, [48]),
  ...statuses(503, [76, 202, 209, 236, 439])
])

/**
 * HTTP status of an exception, as in ClickHouse's `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`; 202 and
 * 236 are 503 here (500 there), since they mean: send it again.
 */
export function httpStatus (code: number): number {
  return STATUSES.get(code) ?? 500
}

function statuses (status: number, codes: readonly number[]): Array<[number, number]> {
  return codes.map((code) => [code, status])
}
