import { isStorableTime, recordKey } from '../contract/index.ts'
import { identityKey } from './identity-key.ts'
import { emptyContent } from './batch.ts'
import type { Decoded, Row, Stream } from '../contract/index.ts'
import type { LogRecord } from '../eventlog/index.ts'
import type { Batch, BatchContent, DeadLetter } from './batch.ts'
import type { StoredArrivals } from './known-ids.ts'
import type { StoredId } from './stored-ids.ts'

/** A record that was read as an event. */
export interface LoggedEvent {
  record: LogRecord
  /** Decoded, by the stream's newest schema. */
  fields: Row
  identity: StoredId
  /** Set where the event may come again, by a client that repeats it or from a spool. */
  mayComeAgain: boolean
  /** Why it is no event of the stream after all. */
  fault?: string | undefined
}

/** What is left out of the tables though it could be stored. */
export interface Deciders {
  /** Stored copies of the batch's events, at offsets below the batch. */
  storedAt: StoredArrivals
  /** Two copies of an event whose arrivals are at most so far apart are stored once; 0: both are stored. */
  windowMs: number
  /**
   * Whether the record with this key, accepted at `receivedAtMs`, was erased since. Fixed when a batch is
   * announced, so that a redo decides the same.
   */
  isErased: (receivedAtMs: number, key: () => Buffer) => boolean
}

/** Every record of a batch, in order, as an event or as the dead letter that it is. */
export function readRecords (
  stream: Stream, { records }: Batch, decoded: ReadonlyArray<Decoded<Row>>
): Array<LoggedEvent | DeadLetter> {
  return records.map((record, index) => {
    const result = decoded[index] as Decoded<Row>
    if (!result.ok) return { record, reason: result.reason, detail: result.detail }
    const fields = result.record
    return {
      record,
      fields,
      identity: {
        tenant: fields['tenant'] as string,
        subject: fields[stream.subject] as string,
        eventId: fields['event_id'] as string,
        receivedAtMs: record.timestampMs
      },
      mayComeAgain: fields['event_id_origin'] !== 'SERVER',
      fault: recordFault(stream, fields, record)
    }
  })
}

/** What has to be looked up before a batch can be sorted. */
export function identitiesToFind (read: ReadonlyArray<LoggedEvent | DeadLetter>): StoredId[] {
  return read.flatMap((item) => {
    return 'fields' in item && item.mayComeAgain && item.fault === undefined ? [item.identity] : []
  })
}

/**
 * Sorts the records of a batch, in order: each is stored, dead-lettered or dropped. The result depends on the
 * log, on what is stored below the batch and on what was announced with it, and on nothing else, so that
 * every owner of the batch comes to the same.
 */
export function sortRecords (
  stream: Stream, { partition }: Batch, read: ReadonlyArray<LoggedEvent | DeadLetter>, deciders: Deciders
): BatchContent {
  const content = emptyContent()
  const isDuplicate = duplicateFilter(deciders)
  for (const item of read) {
    if (isErased(item, deciders)) {
      content.dropped.erased++
      continue
    }
    if (!('fields' in item)) {
      content.deadLetters.push(item)
      continue
    }
    const { record, fields, identity, mayComeAgain, fault } = item
    if (fault !== undefined) {
      content.deadLetters.push({ record, reason: 'invalid_record', detail: fault })
      continue
    }
    if (mayComeAgain && deciders.windowMs > 0) {
      if (isDuplicate(identity)) {
        content.dropped.duplicates++
        continue
      }
      content.storedIds.push(identity)
    }
    content.rows.push(stream.toRow(fields, {
      partition, offset: record.offset, receivedAtMs: record.timestampMs
    }))
  }
  return content
}

/** What cannot be read is its subject's as well, by the key that it came under. */
function isErased (item: LoggedEvent | DeadLetter, deciders: Deciders): boolean {
  const { record } = item
  if (!('fields' in item)) return deciders.isErased(record.timestampMs, () => record.key)
  const { tenant, subject } = item.identity
  return deciders.isErased(record.timestampMs, () => recordKey(tenant, subject))
}

/** Says of the events of a batch, in order, whether a copy is stored; if not, this one will be. */
function duplicateFilter ({ storedAt, windowMs, isErased }: Deciders): (identity: StoredId) => boolean {
  const inBatch = new Map<string, number[]>()
  return (identity) => {
    const key = identityKey(identity)
    const { tenant, subject, receivedAtMs } = identity
    const before = inBatch.get(key) ?? []
    const isCopy = (copyMs: number): boolean => {
      if (Math.abs(copyMs - receivedAtMs) > windowMs) return false
      // What was erased is not there any more, whether its rows are deleted yet or not.
      return !isErased(copyMs, () => recordKey(tenant, subject))
    }
    if (before.some(isCopy)) return true
    for (const copyMs of storedAt(key)) if (isCopy(copyMs)) return true
    inBatch.set(key, [...before, receivedAtMs])
    return false
  }
}

/** It is valid Avro; only a foreign producer writes such records. */
function recordFault (stream: Stream, fields: Row, { timestampMs }: LogRecord): string | undefined {
  if (!isStorableTime(timestampMs)) return 'the time of arrival is outside its range'
  return stream.recordFault(fields)
}
