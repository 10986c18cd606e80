import { Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'
import type { QueryClient } from './query-client.ts'

/** Upper bounds in seconds, closest around the promises: 150 ms a profile, 1 s an aggregate. */
const DURATION_BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10]
const BATCH_SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** The same client, with the duration of every query, failed ones too, by the query's name. */
export function observeQueries (client: QueryClient, registry: Registry): QueryClient {
  const duration = new Histogram({
    name: 'millrace_query_duration_seconds',
    help: 'Time of a database query until its rows are decoded, failed ones included.',
    labelNames: ['query'] as const,
    buckets: DURATION_BUCKETS,
    registers: [registry]
  })
  return {
    async query (query, signal) {
      const stop = duration.labels(query.name).startTimer()
      try {
        return await client.query(query, signal)
      } finally {
        stop()
      }
    }
  }
}

/** How many requests share a query of each name. */
export function batchSizeHistogram (registry: Registry): Histogram<'query'> {
  return new Histogram({
    name: 'millrace_query_batch_size',
    help: 'Requests that one database query answers.',
    labelNames: ['query'] as const,
    buckets: BATCH_SIZE_BUCKETS,
    registers: [registry]
  })
}

/** How many requests wait for a query of each name, asked at each scrape. */
export function observeQueues (queues: Readonly<Record<string, () => number>>, registry: Registry): void {
  registry.registerMetric(new Gauge({
    name: 'millrace_query_queue_length',
    help: 'Requests that wait for a database query.',
    labelNames: ['query'] as const,
    registers: [],
    collect () {
      for (const [name, length] of Object.entries(queues)) this.labels(name).set(length())
    }
  }))
}
