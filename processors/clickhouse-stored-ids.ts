import { EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, RETRY_EVENT_ID_PREFIX } from '../contract/index.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { EventIdentity, StoredId, StoredIds, StoredRange } from './stored-ids.ts'

/**
 * Bytes of the values of one look-up: a quarter of what ClickHouse reads as one statement, since quotes and
 * escapes add to them.
 */
const VALUE_BYTES_MAX = 65_536
/** Values of one look-up that may be there beside those bytes: short ids are many. */
const VALUES_MAX = 2_000

/** JSONCompactEachRow: the columns below in their order. */
type IdRow = [tenant: string, subject: string, eventId: string, receivedAtMs: string]

/** Reads the ids of one table of a stream; `subject` is the column that says whose an event is. */
export function createClickHouseStoredIds (
  { client, table, subject }: { client: ClickHouseClient, table: string, subject: string }
): StoredIds {
  const ids = `
SELECT tenant, ${subject}, event_id, toString(toUnixTimestamp64Milli(received_at))
FROM {table:Identifier}
WHERE _partition = {partition:UInt32}
  AND _offset < {below:UInt64}
  AND received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND event_id_origin != 'SERVER'`.trimStart()
  const read = async (
    sql: string, params: Record<string, unknown>, signal: AbortSignal
  ): Promise<AsyncIterable<readonly StoredId[]>> => {
    // The client hears an abort, but does not look whether there was one.
    signal.throwIfAborted()
    const answer = await client.query({
      query: sql,
      query_params: { table, ...params },
      use_multipart_params_auto: true,
      format: 'JSONCompactEachRow',
      // Whole or not at all: half an answer would be taken for all that is stored.
      clickhouse_settings: { wait_end_of_query: 1 },
      abort_signal: signal
    })
    return storedIdsOf(answer.stream<IdRow>())
  }
  return {
    async * newest (range, limit, signal) {
      const sql = `${ids}\nORDER BY received_at DESC\nLIMIT {limit:UInt32}`
      yield * await read(sql, { ...rangeParams(range), limit }, signal)
    },
    async find (range, wanted, signal) {
      // A retried dead letter may have had another subject.
      const sql = `${ids}
  AND event_id IN {event_ids:Array(String)}
  AND (${subject} IN {subjects:Array(String)} OR startsWith(event_id, '${RETRY_EVENT_ID_PREFIX}'))`
      const found: StoredId[] = []
      for (const part of pieces(wanted)) {
        const params = {
          ...rangeParams(range),
          event_ids: part.map(({ eventId }) => eventId),
          subjects: [...new Set(part.map((identity) => identity.subject))]
        }
        for await (const rows of await read(sql, params, signal)) found.push(...rows)
      }
      return found
    }
  }
}

async function * storedIdsOf (
  answer: AsyncIterable<ReadonlyArray<{ json: () => IdRow }>>
): AsyncGenerator<StoredId[]> {
  for await (const rows of answer) {
    yield rows.map((row) => {
      const [tenant, subject, eventId, receivedAtMs] = row.json()
      return { tenant, subject, eventId, receivedAtMs: Number(receivedAtMs) }
    })
  }
}

/** No row lies outside the times that a table can hold. */
function rangeParams ({ partition, below, fromMs, toMs }: StoredRange) {
  return {
    partition,
    below,
    from_ms: Math.max(fromMs, EVENT_TIME_MS_MIN),
    to_ms: Math.min(toMs, EVENT_TIME_MS_MAX + 1)
  }
}

/** Cuts what is wanted into parts whose values a statement can carry. */
function * pieces (wanted: readonly EventIdentity[]): Generator<EventIdentity[]> {
  let part: EventIdentity[] = []
  let bytes = 0
  for (const identity of wanted) {
    const size = Buffer.byteLength(identity.eventId) + Buffer.byteLength(identity.subject)
    if (part.length > 0 && (part.length === VALUES_MAX || bytes + size > VALUE_BYTES_MAX)) {
      yield part
      part = []
      bytes = 0
    }
    part.push(identity)
    bytes += size
  }
  if (part.length > 0) yield part
}
