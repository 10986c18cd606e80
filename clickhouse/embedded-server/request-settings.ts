import { quoteIdentifier, quoteString } from '../sql-tokens.ts'
import { serverError } from './server-error.ts'
import type { ReadLimits } from '../config.ts'

/** Parameters of the HTTP interface that are no settings of the engine. */
const HTTP_PARAMETERS = new Set(['query', 'query_id', 'database', 'default_format', 'user', 'password',
  'quota_key', 'stacktrace', 'buffer_size', 'wait_end_of_query', 'send_progress_in_http_headers',
  'http_headers_progress_interval_ms', 'enable_http_compression', 'http_zlib_compression_level',
  'add_http_cors_header', 'cancel_http_readonly_queries_on_client_close', 'close_session'])

/** What the HTTP interface of ClickHouse has and this server has not. */
const UNSUPPORTED_PARAMETERS = new Set(['session_id', 'session_timeout', 'session_check', 'role', 'compress',
  'decompress'])

/**
 * Settings that the read-only user may send. Left out is above all what names files (format_schema, format
 * templates, output_format_schema) and what changes access.
 */
const READER_SETTINGS = new RegExp('^(?:' + [
  'date_time_output_format', 'session_timezone', 'log_comment', 'log_queries', 'extremes', 'max_\\w+', 'min_\\w+',
  'output_format_(?!schema)\\w+', 'read_overflow_mode', 'group_by_overflow_mode', 'optimize_\\w+',
  'enable_\\w+', 'join_\\w+', 'force_\\w+', 'prefer_\\w+', 'query_plan_\\w+', 'use_skip_indexes\\w*',
  'use_uncompressed_cache', 'use_query_cache', 'apply_\\w+', 'compile_\\w+'
].join('|') + ')$')

const SETTING_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const PARAMETER_PREFIX = 'param_'

export interface RequestSettings {
  settings: Record<string, string>
  /** Values of {name:Type}, in ClickHouse's escaped text form. */
  parameters: Record<string, string>
}

/** Sorts the parameters of a request. Throws ServerError for names that cannot be or are not supported. */
export function sortParameters (entries: Iterable<readonly [string, string]>): RequestSettings {
  const settings: Record<string, string> = {}
  const parameters: Record<string, string> = {}
  for (const [name, value] of entries) {
    if (HTTP_PARAMETERS.has(name)) continue
    if (UNSUPPORTED_PARAMETERS.has(name)) {
      throw serverError('NOT_IMPLEMENTED', `The embedded server has no ${name}`)
    }
    if (!SETTING_NAME.test(name)) throw serverError('BAD_ARGUMENTS', 'A parameter name is malformed')
    if (name.startsWith(PARAMETER_PREFIX)) parameters[name.slice(PARAMETER_PREFIX.length)] = value
    else settings[name] = value
  }
  return { settings, parameters }
}

/**
 * The settings of the read-only user: its own, held to the limits (asking for less is fine, 0 would mean no
 * limit and takes the limit), with readonly = 1, which also refuses a SETTINGS clause in the text. Throws
 * ServerError READONLY for a setting that it may not change.
 */
export function readerSettings (
  settings: Record<string, string>, limits: ReadLimits
): Record<string, string> {
  for (const name of Object.keys(settings)) {
    if (!READER_SETTINGS.test(name)) {
      throw serverError('READONLY', `Cannot modify '${name}' setting in readonly mode`)
    }
  }
  const atMost = (name: string, limit: number): string => {
    const asked = Number(settings[name] ?? 0)
    return String(asked > 0 && asked < limit ? asked : limit)
  }
  return {
    ...settings,
    max_execution_time: atMost('max_execution_time', limits.secondsMax),
    max_memory_usage: atMost('max_memory_usage', limits.memoryBytesMax),
    max_result_rows: atMost('max_result_rows', limits.resultRowsMax),
    max_result_bytes: atMost('max_result_bytes', limits.resultBytesMax),
    // Time is measured, not estimated from the speed of the first seconds; too much is an error, not less.
    timeout_before_checking_execution_speed: '0',
    timeout_overflow_mode: 'throw',
    result_overflow_mode: 'throw',
    allow_introspection_functions: '0',
    readonly: '1'
  }
}

/** The statement that gives a fresh session the settings and parameters of one request. */
export function setStatement ({ settings, parameters }: RequestSettings): string {
  const assignments = [
    ...Object.entries(settings).map(([name, value]) => assignment(name, value)),
    ...Object.entries(parameters).map(([name, value]) => assignment(PARAMETER_PREFIX + name, value))
  ]
  return `SET ${assignments.join(', ')}`
}

export function useStatement (database: string): string {
  return `USE ${quoteIdentifier(database)}`
}

function assignment (name: string, value: string): string {
  return `${name} = ${quoteString(value)}`
}
