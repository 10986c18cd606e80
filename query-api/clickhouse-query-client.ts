import { MillraceError } from '../contract/index.ts'
import { clickHouseCode } from '../clickhouse/index.ts'
import { visibleQuery } from './visibility.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { Row } from '../contract/index.ts'
import type { QueryClient } from './query-client.ts'
import type { EVERY_ROW, Visibility } from './visibility.ts'

/**
 * ClickHouse's codes for "not now": the same query may succeed later. Source: `src/Common/ErrorCodes.cpp`.
 * A code that is not here is a fault of ours.
 */
const UNAVAILABLE_CODES: ReadonlySet<number> = new Set([
  159, // TIMEOUT_EXCEEDED
  160, // TOO_SLOW
  173, // CANNOT_ALLOCATE_MEMORY
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  203, // NO_FREE_CONNECTION
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  236, // ABORTED: the server is stopping
  241, // MEMORY_LIMIT_EXCEEDED
  279, // ALL_CONNECTION_TRIES_FAILED
  394, // QUERY_WAS_CANCELLED
  439, // CANNOT_SCHEDULE_TASK
  745, // SERVER_OVERLOADED
  999 // KEEPER_EXCEPTION
])

/**
 * Reads what `visibility` lets it see, through ClickHouse's HTTP interface; `client` comes from
 * `createReadClient`.
 */
export function clickHouseQueryClient (
  client: ClickHouseClient, visibility: Visibility | typeof EVERY_ROW
): QueryClient {
  return {
    async query ({ settings, ...asked }, signal) {
      try {
        const { sql, params, settings: own } = await visibleQuery(asked, visibility)
        // The client hears an abort, but does not look whether there was one.
        signal.throwIfAborted()
        const answer = await client.query({
          query: sql,
          query_params: { ...params },
          clickhouse_settings: { ...settings, ...own },
          // Values above 4 KB travel in the body, so that no URL is too long for what stands between.
          use_multipart_params_auto: true,
          format: 'JSONEachRow',
          abort_signal: signal
        })
        return await answer.json<Row>()
      } catch (error) {
        throw toMillraceError(error, signal)
      }
    }
  }
}

/** The error that a caller meets for what a query rejected with. */
export function toMillraceError (error: unknown, signal: AbortSignal): MillraceError {
  if (signal.aborted && signal.reason instanceof MillraceError) return signal.reason
  const code = clickHouseCode(error)
  if (code !== undefined) {
    const known = UNAVAILABLE_CODES.has(code)
    return new MillraceError(known ? 'storage_unavailable' : 'internal', `ClickHouse code ${code}`, { cause: error })
  }
  // What is no answer of ClickHouse is the way to it, unless our own code or its JSON is at fault.
  const ours = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
  return new MillraceError(ours ? 'internal' : 'storage_unavailable', 'ClickHouse did not answer', { cause: error })
}
