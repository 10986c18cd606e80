import type { Row } from '../contract/index.ts'
import type { DeadLetter, DeadLetterHead, DeadLetterState } from './dead-letter.ts'

/** One SELECT: its text is fixed by code, every value travels in `params`. */
export interface LetterQuery {
  name: string
  sql: string
  params: Readonly<Record<string, unknown>>
}

/** Which letters; what is undefined does not matter. */
export interface LetterFilter {
  stream: string | undefined
  reason: string | undefined
  states: readonly DeadLetterState[]
  /** Of arrival: `[fromMs, toMs)`. */
  fromMs: number
  toMs: number
}

/** The last letter of a page: the next one begins after it. */
export interface LetterCursor {
  receivedAtMs: number
  id: string
}

export interface LetterPage {
  filter: LetterFilter
  order: 'newest' | 'oldest'
  limit: number
  after: LetterCursor | undefined
}

/**
 * Whose a letter is: its record's key begins with the tenant's length, a colon, and the tenant
 * (contract/stream.ts). Letters without such a key are the standard organisation's, which is everybody's
 * where the system runs open.
 */
const TENANT = `
    if(
      match(key, '^[0-9]{1,3}:[a-z0-9]'),
      substring(key, position(key, ':') + 1, toUInt16(substring(key, 1, position(key, ':') - 1))),
      ''
    ) AS key_tenant,
    if(match(key_tenant, '^[a-z0-9][a-z0-9_-]{0,62}$') AND startsWith(key, concat(toString(length(key_tenant)), ':', key_tenant)), key_tenant, 'default') AS tenant`

/**
 * The letters that have not expired, with what became of each: of retries at once, the first of the log,
 * which is the one that is stored.
 */
const LETTERS = `
  SELECT
    id, stream, topic, partition, offset, reason, detail, key, value,
    toUnixTimestamp64Milli(received_at) AS received_ms,${TENANT},
    retries.attempts AS attempts,
    multiIf(retries.done, 'retried', attempts > 0, 'retrying', 'open') AS state,
    retries.attempted_ms AS attempted_ms,
    retries.retried_ms AS retried_ms,
    retries.retried_topic AS retried_topic,
    retries.retried_partition AS retried_partition,
    retries.retried_offset AS retried_offset,
    retries.corrected AS corrected
  FROM dead_letters AS letters
  LEFT JOIN (
    SELECT
      dead_letter_id,
      count() AS attempts,
      max(state = 'retried') AS done,
      min(toUnixTimestamp64Milli(received_at)) AS attempted_ms,
      argMinIf(toUnixTimestamp64Milli(received_at), offset, state = 'retried') AS retried_ms,
      argMinIf(topic, offset, state = 'retried') AS retried_topic,
      argMinIf(partition, offset, state = 'retried') AS retried_partition,
      minIf(offset, state = 'retried') AS retried_offset,
      argMinIf(corrected, offset, state = 'retried') AS corrected
    FROM dead_letter_retries
    GROUP BY dead_letter_id
  ) AS retries ON letters.id = retries.dead_letter_id
  WHERE received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')`.trim()

const HEAD = `
SELECT
  id, stream, topic, partition, offset, reason, detail, length(value) AS size_bytes, received_ms, state,
  attempts, attempted_ms, retried_ms, retried_topic, retried_partition, retried_offset, corrected, tenant`.trim()

/** One page of a tenant's letters; one more than `limit` says that there is another. */
export function listQuery (tenant: string, { filter, order, limit, after }: LetterPage): LetterQuery {
  const { stream, reason, states, fromMs, toMs } = filter
  const direction = order === 'newest' ? 'DESC' : 'ASC'
  const conditions = [
    'tenant = {tenant:String}',
    'state IN {states:Array(String)}',
    ...(stream === undefined ? [] : ['stream = {stream:String}']),
    ...(reason === undefined ? [] : ['reason = {reason:String}']),
    ...(after === undefined
      ? []
      : [`(received_ms, id) ${order === 'newest' ? '<' : '>'} ({after_ms:Int64}, {after_id:String})`])
  ]
  return {
    name: 'dead_letters',
    sql: `
${HEAD}
FROM (
  ${LETTERS}
)
WHERE ${conditions.join('\n  AND ')}
ORDER BY received_ms ${direction}, id ${direction}
LIMIT {limit:UInt32}`.trimStart(),
    params: {
      tenant,
      states,
      from_ms: fromMs,
      to_ms: toMs,
      limit: limit + 1,
      ...(stream === undefined ? {} : { stream }),
      ...(reason === undefined ? {} : { reason }),
      ...(after === undefined ? {} : { after_ms: after.receivedAtMs, after_id: after.id })
    }
  }
}

/** A tenant's letters of these ids, with their bytes. */
export function lettersQuery (
  tenant: string, ids: readonly string[], { fromMs, toMs }: Pick<LetterFilter, 'fromMs' | 'toMs'>
): LetterQuery {
  return {
    name: 'dead_letter',
    sql: `
${HEAD},
  base64Encode(key) AS key_base64, base64Encode(value) AS value_base64
FROM (
  ${LETTERS}
    AND id IN {ids:Array(String)}
)
WHERE tenant = {tenant:String}
LIMIT 1 BY id`.trimStart(),
    params: { tenant, ids, from_ms: fromMs, to_ms: toMs }
  }
}

/** Where the first retry of each of these letters stands in each partition, as far as it was noted. */
export function firstRetriesQuery (ids: readonly string[]): LetterQuery {
  return {
    name: 'dead_letter_first_retries',
    sql: `
SELECT dead_letter_id AS id, partition, min(offset) AS first_offset
FROM dead_letter_retries
WHERE dead_letter_id IN {ids:Array(String)}
  AND state = 'retried'
GROUP BY id, partition`.trimStart(),
    params: { ids }
  }
}

export interface StoredEventsSearch {
  /** Raw table of a stream. */
  table: string
  tenant: string
  eventIds: readonly string[]
  /** Arrival, epoch milliseconds. */
  sinceMs: number
}

/** Where the raw table of a stream holds events of these ids that arrived since. */
export function storedEventsQuery ({ table, tenant, eventIds, sinceMs }: StoredEventsSearch): LetterQuery {
  return {
    name: 'dead_letter_events',
    sql: `
SELECT event_id, _partition AS partition, _offset AS offset, toUnixTimestamp64Milli(received_at) AS received_ms
FROM ${table}
WHERE tenant = {tenant:String}
  AND event_id IN {event_ids:Array(String)}
  AND received_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')`.trimStart(),
    params: { tenant, event_ids: eventIds, since_ms: sinceMs }
  }
}

export function toHead (row: Row): DeadLetterHead {
  const number = (name: string): number => Number(row[name])
  const text = (name: string): string => String(row[name])
  return {
    id: text('id'),
    stream: text('stream'),
    topic: text('topic'),
    partition: number('partition'),
    offset: number('offset'),
    reason: text('reason'),
    detail: text('detail'),
    size_bytes: number('size_bytes'),
    received_at: timeText(number('received_ms')),
    state: text('state') as DeadLetterState,
    retried: text('state') !== 'retried'
      ? null
      : {
          at: timeText(number('retried_ms')),
          topic: text('retried_topic'),
          partition: number('retried_partition'),
          offset: number('retried_offset'),
          corrected: Boolean(row['corrected'])
        }
  }
}

export function toLetter (row: Row): DeadLetter {
  return {
    ...toHead(row),
    tenant: String(row['tenant']),
    key: Buffer.from(String(row['key_base64']), 'base64'),
    value: Buffer.from(String(row['value_base64']), 'base64'),
    attemptedAtMs: Number(row['attempts']) > 0 ? Number(row['attempted_ms']) : undefined
  }
}

function timeText (ms: number): string {
  return new Date(ms).toISOString()
}
