import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'

/** Settings of the ingest role. */
export const ingestSettings = {
  INGEST_BUDGET_MS: Type.Integer({
    default: 200,
    minimum: 1,
    maximum: 60_000,
    description: 'Milliseconds within which an event is durable or its request is answered 503'
  }),
  INGEST_QUEUE_MAX: Type.Integer({
    default: 10_000,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Events of one stream that may wait for an append; more are answered 503'
  }),
  INGEST_QUEUE_BYTES_MAX: Type.Integer({
    default: 32 * 1024 * 1024,
    minimum: 1024,
    description: 'Bytes of one stream that may wait for an append; more are answered 503'
  }),
  INGEST_APPEND_BATCH_MAX: Type.Integer({
    default: 1_000,
    minimum: 1,
    maximum: 10_000,
    description: 'Events in one append'
  }),
  INGEST_APPEND_BATCH_BYTES_MAX: Type.Integer({
    default: 896 * 1024,
    minimum: 1024,
    description: 'Bytes in one append; below the 1 MiB that brokers take in a batch by default'
  }),
  INGEST_APPEND_INTERVAL_MS: Type.Integer({
    default: 4,
    minimum: 0,
    maximum: 50,
    description: 'Milliseconds between the starts of two small appends of one stream: events of this time share one'
  }),
  INGEST_APPENDS_IN_FLIGHT_MAX: Type.Integer({
    default: 2,
    minimum: 1,
    maximum: 64,
    description: 'Appends of one stream at a time: one waits at the log, in order, while another is made durable'
  })
}

/** Limits of group commit; each holds for one topic. */
export interface IngestConfig {
  budgetMs: number
  queueRecordsMax: number
  queueBytesMax: number
  batchRecordsMax: number
  batchBytesMax: number
  /** Between the starts of two appends; one of many records does not wait. */
  appendIntervalMs: number
  appendsInFlightMax: number
}

export function ingestConfig (env: Static<TObject<typeof ingestSettings>>): IngestConfig {
  return {
    budgetMs: env.INGEST_BUDGET_MS,
    queueRecordsMax: env.INGEST_QUEUE_MAX,
    queueBytesMax: env.INGEST_QUEUE_BYTES_MAX,
    batchRecordsMax: env.INGEST_APPEND_BATCH_MAX,
    batchBytesMax: env.INGEST_APPEND_BATCH_BYTES_MAX,
    appendIntervalMs: env.INGEST_APPEND_INTERVAL_MS,
    appendsInFlightMax: env.INGEST_APPENDS_IN_FLIGHT_MAX
  }
}
