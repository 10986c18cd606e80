import { EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, toDateTime } from '../contract/index.ts'
import type { Row, Stream, UndecodableReason } from '../contract/index.ts'
import type { LogRecord } from '../eventlog/index.ts'
import type { StoredId } from './stored-ids.ts'

/** Records `[start, end)` of one partition: what is inserted at once, under one token. */
export interface Batch {
  topic: string
  partition: number
  start: number
  end: number
  records: readonly LogRecord[]
}

export type DeadLetterReason = UndecodableReason | 'invalid_record' | 'refused_by_storage'

/** A record that cannot be stored as a row, kept as it is. */
export interface DeadLetter {
  record: LogRecord
  reason: DeadLetterReason
  detail: string
}

/** What becomes of the records of a batch: each is in `rows` or `deadLetters`, or counted as dropped. */
export interface BatchContent {
  rows: Row[]
  deadLetters: DeadLetter[]
  /** Records that are left out, by reason. */
  dropped: Record<DropReason, number>
  /** Those of the rows that may come again. */
  storedIds: StoredId[]
}

/** Why a sound record is not stored: another copy is, or its subject was erased. */
export type DropReason = 'duplicates' | 'erased'

/**
 * Name of a batch's inserts: a table that has seen it drops the insert. It names the records, by position and
 * by the arrival of the first one; without that, a log that was emptied and began again at offset 0 would
 * repeat old names, and its first batches would be dropped.
 */
export function batchToken ({ topic, partition, start, end, records }: Batch): string {
  return `${topic}-${partition}-${start}-${end}-${records[0]?.timestampMs ?? 0}`
}

export function emptyContent (): BatchContent {
  return { rows: [], deadLetters: [], dropped: { duplicates: 0, erased: 0 }, storedIds: [] }
}

/** The content of a batch whose one record ClickHouse refuses. */
export function refusedContent (batch: Batch, detail: string): BatchContent {
  const deadLetters = batch.records.map((record) => ({ record, reason: 'refused_by_storage' as const, detail }))
  return { ...emptyContent(), deadLetters }
}

/** The row of `dead_letters`; key and value travel as base64, since JSON cannot carry any bytes. */
export function deadLetterRow (stream: Stream, batch: Batch, { record, reason, detail }: DeadLetter): Row {
  const { topic, partition } = batch
  return {
    id: `${topic}-${partition}-${record.offset}`,
    stream: stream.name,
    topic,
    partition,
    offset: record.offset,
    key_base64: record.key.toString('base64'),
    value_base64: record.value.toString('base64'),
    reason,
    detail,
    received_at: storableTime(record.timestampMs)
  }
}

/** The row of `batches`, the ledger. */
export function ledgerRow (stream: Stream, batch: Batch, content: BatchContent): Row {
  const { topic, partition, start, end, records } = batch
  const arrivals = records.map((record) => record.timestampMs)
  return {
    stream: stream.name,
    topic,
    partition,
    first_offset: start,
    last_offset: end - 1,
    token: batchToken(batch),
    stored: content.rows.length,
    dead_lettered: content.deadLetters.length,
    duplicates: content.dropped.duplicates,
    erased: content.dropped.erased,
    first_received_at: storableTime(arrivals.reduce((least, ms) => Math.min(least, ms))),
    last_received_at: storableTime(arrivals.reduce((most, ms) => Math.max(most, ms)))
  }
}

/** ClickHouse's text of an arrival, held to its range so that a foreign record's books can be stored. */
function storableTime (ms: number): string {
  return toDateTime(Math.min(Math.max(ms, EVENT_TIME_MS_MIN), EVENT_TIME_MS_MAX))
}
