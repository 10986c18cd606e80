import {
  EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, RETRY_EVENT_ID_PREFIX, decodeRejected, formatTime
} from '../contract/index.ts'
import type { RecordDecoder, Rejected, Row, Stream } from '../contract/index.ts'

/** `retrying`: an attempt began, and nobody knows whether its event reached the log. */
export const STATES = ['open', 'retrying', 'retried'] as const

/** Why a record could not be stored, as docs/operations.md explains them. */
export const REASONS = [
  'rejected_at_ingest', 'bad_framing', 'bad_bytes', 'unknown_schema', 'incompatible_schema', 'invalid_record',
  'refused_by_storage'
] as const

export type DeadLetterState = typeof STATES[number]

/** A dead letter without its bytes, as lists show it. */
export interface DeadLetterHead {
  id: string
  stream: string
  topic: string
  partition: number
  offset: number
  reason: string
  detail: string
  size_bytes: number
  received_at: string
  state: DeadLetterState
  /** Where the retried event stands in the log. */
  retried: { at: string, topic: string, partition: number, offset: number, corrected: boolean } | null
}

/** A dead letter with its bytes. */
export interface DeadLetter extends DeadLetterHead {
  tenant: string
  key: Buffer
  value: Buffer
  /** When an attempt to retry it began first; epoch milliseconds. */
  attemptedAtMs: number | undefined
}

/** What the event of a retried dead letter is named, so that it is stored once however often it is sent. */
export function retryEventId ({ id }: Pick<DeadLetter, 'id'>): string {
  return RETRY_EVENT_ID_PREFIX + id
}

/** A letter's bytes, as far as they can be read today. */
export interface DecodedLetter {
  /** The Avro record, where the bytes are one. */
  record: Row | undefined
  /** Why they are none. */
  fault: string | undefined
  /** The event as a client sends it, of a record. */
  event: Row | undefined
  /** What a route that takes everything was sent instead of an event. */
  rejected: Rejected | undefined
}

/** Reads a letter's bytes. Rejects with RegistryError where the registry has to be asked and is away. */
export async function decodeLetter (
  stream: Stream, decoder: RecordDecoder<Row>, { value }: Pick<DeadLetter, 'value'>
): Promise<DecodedLetter> {
  const [decoded] = await decoder.decode([value])
  if (decoded?.ok === true) {
    const { record } = decoded
    return { record, fault: undefined, event: eventOf(stream, record), rejected: undefined }
  }
  return { record: undefined, fault: decoded?.detail, event: undefined, rejected: decodeRejected(value) }
}

/** The whole of a letter for people and machines. */
export function describeLetter (
  letter: DeadLetter, { record, fault, event, rejected }: DecodedLetter
): object {
  const { tenant, key, value, attemptedAtMs, ...head } = letter
  const eventId = record?.['event_id']
  const prefix = Buffer.from(`${tenant.length}:${tenant}`)
  const subject = key.subarray(0, prefix.length).equals(prefix) ? key.toString('utf8', prefix.length) : null
  return {
    ...head,
    attempted_at: attemptedAtMs === undefined ? null : formatTime(attemptedAtMs),
    key: { tenant, subject, base64: key.toString('base64') },
    value_base64: value.toString('base64'),
    event: event ?? null,
    event_id: eventId ?? null,
    retry_of: typeof eventId === 'string' && eventId.startsWith(RETRY_EVENT_ID_PREFIX)
      ? eventId.slice(RETRY_EVENT_ID_PREFIX.length)
      : null,
    undecodable: fault ?? null,
    rejected_request: rejected?.request ?? null
  }
}

/** The event that a record was made from; its own `event_id` is left out. */
function eventOf ({ fields, eventTime }: Stream, record: Row): Row {
  const event: Row = {}
  for (const { envelope, name, path, optional } of fields) {
    if (envelope) continue
    const value = path.reduce<unknown>((node, step) => (node as Row | null)?.[step], record)
    if (optional && (value === null || value === undefined)) continue
    let target = event
    for (const step of path.slice(0, -1)) target = (target[step] ??= {}) as Row
    target[path.at(-1) as string] = name === eventTime ? timeOf(record, value as number) : value
  }
  return event
}

/** A time that no table could hold has no text either: it is shown as its number. */
function timeOf (record: Row, ms: number): unknown {
  if (ms < EVENT_TIME_MS_MIN || ms > EVENT_TIME_MS_MAX) return ms
  return record['time_text'] ?? formatTime(ms)
}
