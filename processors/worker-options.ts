import type { RecordDecoder, Row, Stream } from '../contract/index.ts'
import type { PartitionSession } from '../eventlog/index.ts'
import type { Batch, BatchContent } from './batch.ts'
import type { BatchLimits, DuplicateLimits } from './config.ts'
import type { RecordErasures } from './record-erasures.ts'
import type { Sink } from './sink.ts'
import type { StoredIds } from './stored-ids.ts'

/** What a worker tells while it works; calls must not throw. */
export interface WorkerObserver {
  /** A batch is complete and committed. */
  stored: (batch: Batch, content: BatchContent) => void
  /** An attempt failed and will be repeated. */
  retrying: (failure: { topic: string, partition: number, error: Error, attempt: number }) => void
  /** Records that the log deleted before they were stored. */
  missing: (gap: { topic: string, partition: number, from: number, to: number }) => void
}

/** Where a batch goes; without a table for its books, dead letters and ledger are left out. */
export interface DeliveryTables {
  rows: string
  books?: { deadLetters: string, batches: string }
}

export interface WorkerOptions {
  session: PartitionSession
  stream: Stream
  decoder: RecordDecoder<Row>
  sink: Sink
  tables: DeliveryTables
  /** What `tables.rows` holds. */
  storedIds: StoredIds
  erasures: RecordErasures
  limits: BatchLimits
  duplicates: DuplicateLimits
  retryMsMax: number
  /** How long a record of a schema that is not known may hold up its partition. */
  schemaWaitMs: number
  observer: WorkerObserver
  /** Milliseconds of a clock that never goes back. */
  monotonicMs: () => number
}
