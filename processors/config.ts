import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'

/** Settings of the processors, keyed by environment variable. */
export const processorSettings = {
  PROCESSOR_GROUP: Type.String({
    default: 'millrace',
    minLength: 1,
    description: 'Consumer group that the processors share; its offsets say what has been stored.'
  }),
  BATCH_ROWS_MAX: Type.Integer({
    default: 20_000,
    minimum: 1,
    maximum: 50_000,
    description: 'Records of one insert; ClickHouse takes a batch of this size as one block.'
  }),
  BATCH_BYTES_MAX: Type.Integer({
    default: 8 * 1024 * 1024,
    minimum: 1024,
    description: 'Bytes of the records of one insert.'
  }),
  BATCH_AGE_MS_MAX: Type.Integer({
    default: 1_000,
    minimum: 1,
    description: 'How long a batch may fill: freshness against the number of parts that ClickHouse has to merge.'
  }),
  INSERTS_MAX: Type.Integer({
    default: 4,
    minimum: 1,
    maximum: 1000,
    description: 'Inserts at once; `start` takes 1 for the embedded ClickHouse, to leave cores to the requests.'
  }),
  DUPLICATE_WINDOW_MS: Type.Integer({
    default: 600_000,
    minimum: 0,
    maximum: 86_400_000,
    description: 'Two events of one subject with one event_id are stored once if they arrive so close; 0: never.'
  }),
  DUPLICATE_IDS_MAX: Type.Integer({
    default: 200_000,
    minimum: 1_000,
    description: 'Ids of clients that a processor remembers for each partition; older ones are read from the table.'
  }),
  SCHEMA_WAIT_MS: Type.Integer({
    default: 60_000,
    minimum: 0,
    description: 'How long a record of an unknown schema may hold up its partition until a newer release takes it over.'
  }),
  RETRY_MS_MAX: Type.Integer({
    default: 10_000,
    minimum: 10,
    description: 'Longest pause between two tries of an insert that failed.'
  }),
  STALL_MS_MAX: Type.Integer({
    default: 15_000,
    minimum: 100,
    description: 'How long an insert may fail before the processor calls itself not ready.'
  })
}

export interface ProcessorConfig {
  group: string
  batch: BatchLimits
  duplicates: DuplicateLimits
  insertsMax: number
  schemaWaitMs: number
  retryMsMax: number
  stallMsMax: number
}

/** One read of the log is one batch, bounded by these. */
export interface BatchLimits {
  rowsMax: number
  bytesMax: number
  ageMsMax: number
}

/** Which copies of an event are found, and how many ids are in memory for that. */
export interface DuplicateLimits {
  windowMs: number
  /** For each partition. */
  idsMax: number
}

/** The processors' slice of a validated environment. */
export function processorConfig (env: Static<TObject<typeof processorSettings>>): ProcessorConfig {
  return {
    group: env.PROCESSOR_GROUP,
    batch: { rowsMax: env.BATCH_ROWS_MAX, bytesMax: env.BATCH_BYTES_MAX, ageMsMax: env.BATCH_AGE_MS_MAX },
    duplicates: { windowMs: env.DUPLICATE_WINDOW_MS, idsMax: env.DUPLICATE_IDS_MAX },
    insertsMax: env.INSERTS_MAX,
    schemaWaitMs: env.SCHEMA_WAIT_MS,
    retryMsMax: env.RETRY_MS_MAX,
    stallMsMax: env.STALL_MS_MAX
  }
}
