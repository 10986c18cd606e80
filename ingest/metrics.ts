import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'

/** Upper bounds in seconds, closest below the budget of 200 ms. */
const APPEND_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000]

export type IngestMetrics = ReturnType<typeof ingestMetrics>

/** The metrics of ingest. Labels are names of streams and error codes, both from closed sets. */
export function ingestMetrics (registry: Registry) {
  const registers = [registry]
  return {
    accepted: new Counter({
      name: 'millrace_events_accepted_total',
      help: 'Events that became durable in the log, also those confirmed after their budget.',
      labelNames: ['stream'] as const,
      registers
    }),
    rejected: new Counter({
      name: 'millrace_events_rejected_total',
      help: 'Events that were refused, by code; a request that was refused as a whole counts once.',
      labelNames: ['stream', 'code'] as const,
      registers
    }),
    queueRecords: new Gauge({
      name: 'millrace_ingest_queue_records',
      help: 'Events that wait for an append.',
      labelNames: ['stream'] as const,
      registers
    }),
    appendSeconds: new Histogram({
      name: 'millrace_ingest_append_seconds',
      help: 'Time from the start of an append until the log confirmed or refused it.',
      labelNames: ['stream'] as const,
      buckets: APPEND_BUCKETS,
      registers
    }),
    batchRecords: new Histogram({
      name: 'millrace_ingest_append_records',
      help: 'Events in one append.',
      labelNames: ['stream'] as const,
      buckets: BATCH_BUCKETS,
      registers
    })
  }
}
