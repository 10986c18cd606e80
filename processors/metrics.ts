import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'

/**
 * What the processors count; rates and delays are for dashboards, the books themselves are the table
 * `batches`.
 */
export interface ProcessorMetrics {
  stored: Counter<'stream'>
  deadLettered: Counter<'stream' | 'reason'>
  duplicates: Counter<'stream'>
  erased: Counter<'stream'>
  idReads: Counter<'stream' | 'kind'>
  missing: Counter<'topic'>
  retries: Counter<'topic'>
  batchRecords: Histogram<'stream'>
  storeDelay: Histogram<'stream'>
  lag: Gauge<'topic' | 'partition'>
}

export function createProcessorMetrics (registry: Registry): ProcessorMetrics {
  const registers = [registry]
  return {
    stored: new Counter({
      name: 'millrace_events_stored_total',
      help: 'Events stored as rows.',
      labelNames: ['stream'],
      registers
    }),
    deadLettered: new Counter({
      name: 'millrace_events_dead_lettered_total',
      help: 'Records that could not be stored as rows and were kept as dead letters.',
      labelNames: ['stream', 'reason'],
      registers
    }),
    duplicates: new Counter({
      name: 'millrace_events_duplicate_total',
      help: 'Events that were dropped because another copy with the same event_id is stored.',
      labelNames: ['stream'],
      registers
    }),
    erased: new Counter({
      name: 'millrace_events_erased_total',
      help: 'Events that were dropped because their subject was erased after they had been accepted.',
      labelNames: ['stream'],
      registers
    }),
    idReads: new Counter({
      name: 'millrace_duplicate_reads_total',
      help: 'Reads of a table for ids: recover fills the memory of a partition, find looks up what is not in it.',
      labelNames: ['stream', 'kind'],
      registers
    }),
    missing: new Counter({
      name: 'millrace_log_records_missing_total',
      help: 'Offsets that the log had deleted before they were stored: lost records.',
      labelNames: ['topic'],
      registers
    }),
    retries: new Counter({
      name: 'millrace_delivery_retries_total',
      help: 'Failed attempts to read, insert or commit that were repeated.',
      labelNames: ['topic'],
      registers
    }),
    batchRecords: new Histogram({
      name: 'millrace_batch_records',
      help: 'Records of one batch.',
      labelNames: ['stream'],
      buckets: [1, 10, 100, 300, 1_000, 3_000, 10_000, 30_000],
      registers
    }),
    storeDelay: new Histogram({
      name: 'millrace_store_delay_seconds',
      help: 'From acceptance of the oldest event of a batch until the batch is stored: freshness.',
      labelNames: ['stream'],
      buckets: [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300],
      registers
    }),
    lag: new Gauge({
      name: 'millrace_consumer_lag_records',
      help: 'Records in the log that are not stored yet.',
      labelNames: ['topic', 'partition'],
      registers
    })
  }
}
