import { createDecoder } from '../contract/index.ts'
import { createProcessorMetrics } from './metrics.ts'
import { runPartitionWorker } from './partition-worker.ts'
import type { Registry } from 'prom-client'
import type { SchemaRegistry, Stream } from '../contract/index.ts'
import type { EventLog } from '../eventlog/index.ts'
import type { ProcessorConfig } from './config.ts'
import type { ProcessorMetrics } from './metrics.ts'
import type { RecordErasures } from './record-erasures.ts'
import type { WorkerObserver } from './worker-options.ts'
import type { Sink } from './sink.ts'
import type { StoredIds } from './stored-ids.ts'

/** Milliseconds between two looks at how far the processors are behind. */
const LAG_INTERVAL_MS = 2_000

/** The slice of pino's interface that is used here. */
export interface ProcessorLog {
  debug: (fields: object, message: string) => void
  info: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
  error: (fields: object, message: string) => void
}

export interface ProcessorOptions {
  eventLog: EventLog
  streams: readonly Stream[]
  registry?: SchemaRegistry
  sink: Sink
  storedIdsOf: (stream: Stream) => StoredIds
  erasures: RecordErasures
  config: ProcessorConfig
  metrics: Registry
  log: ProcessorLog
  /** Epoch milliseconds. */
  now: () => number
}

export interface Processor {
  /**
   * Rejects where a partition has been failing for longer than `stallMsMax`; the message says which and why.
   */
  checkReady: () => Promise<void>
  /**
   * Stops between two steps of the protocol and leaves the group; what is pending is redone by the next
   * owner.
   */
  stop: () => Promise<void>
}

interface Stall {
  sinceMs: number
  reason: string
}

/** Joins the consumer group and delivers every stream from the log to the sink until stopped. */
export async function startProcessor (options: ProcessorOptions): Promise<Processor> {
  const { eventLog, streams, config, log, now } = options
  const metrics = createProcessorMetrics(options.metrics)
  const stalls = new Map<string, Stall>()
  const observer = observe({ metrics, stalls, log, now })
  const byTopic = new Map(streams.map((stream) => {
    return [stream.topic, {
      stream,
      decoder: createDecoder(stream, options.registry),
      tables: { rows: stream.tables.raw, books: { deadLetters: 'dead_letters', batches: 'batches' } },
      storedIds: countReads(options.storedIdsOf(stream), { metrics, stream })
    }]
  }))
  const consumer = await eventLog.consume({
    group: config.group,
    topics: [...byTopic.keys()],
    onPartition: async (session) => {
      const consumed = byTopic.get(session.topic)
      if (consumed === undefined) throw new Error(`No stream has the topic ${session.topic}`)
      const { topic, partition, committed } = session
      log.debug({ topic, partition, ...committed }, 'partition taken')
      try {
        await runPartitionWorker({
          ...consumed,
          session,
          sink: options.sink,
          erasures: options.erasures,
          limits: config.batch,
          duplicates: config.duplicates,
          retryMsMax: config.retryMsMax,
          schemaWaitMs: config.schemaWaitMs,
          monotonicMs: () => performance.now(),
          observer
        })
      } finally {
        stalls.delete(partitionKey(session))
        log.info({ topic, partition }, 'partition given back')
      }
    },
    onError: (error) => log.error({ err: error }, 'consumer fault')
  })
  const lagTimer = setInterval(() => {
    updateLag(options, metrics).catch((error: unknown) => log.warn({ err: error }, 'lag unknown'))
  }, LAG_INTERVAL_MS)
  return {
    checkReady: async () => {
      for (const [partition, { sinceMs, reason }] of stalls) {
        const stalledMs = now() - sinceMs
        if (stalledMs <= config.stallMsMax) continue
        throw new Error(`${partition} has been failing for ${stalledMs} ms: ${reason}`)
      }
    },
    stop: async () => {
      clearInterval(lagTimer)
      await consumer.stop()
    }
  }
}

interface ObserveOptions {
  metrics: ProcessorMetrics
  stalls: Map<string, Stall>
  log: ProcessorLog
  now: () => number
}

function observe ({ metrics, stalls, log, now }: ObserveOptions): WorkerObserver {
  return {
    stored: (batch, content) => {
      stalls.delete(partitionKey(batch))
      const stream = batch.topic
      metrics.stored.inc({ stream }, content.rows.length)
      metrics.duplicates.inc({ stream }, content.dropped.duplicates)
      metrics.erased.inc({ stream }, content.dropped.erased)
      metrics.batchRecords.observe({ stream }, batch.records.length)
      const oldest = batch.records[0]
      if (oldest !== undefined) metrics.storeDelay.observe({ stream }, (now() - oldest.timestampMs) / 1000)
      for (const { record, reason, detail } of content.deadLetters) {
        metrics.deadLettered.inc({ stream, reason })
        const { topic, partition } = batch
        log.warn({ topic, partition, offset: record.offset, reason, detail }, 'dead letter')
      }
    },
    retrying: ({ topic, partition, error, attempt }) => {
      metrics.retries.inc({ topic })
      const key = partitionKey({ topic, partition })
      if (!stalls.has(key)) stalls.set(key, { sinceMs: now(), reason: error.message })
      log.warn({ topic, partition, attempt, err: error }, 'delivery failed, trying again')
    },
    missing: ({ topic, partition, from, to }) => {
      metrics.missing.inc({ topic }, to - from)
      log.error({ topic, partition, from, to }, 'the log deleted records before they were stored')
    }
  }
}

function countReads (
  storedIds: StoredIds, { metrics, stream: { name: stream } }: { metrics: ProcessorMetrics, stream: Stream }
): StoredIds {
  return {
    newest: (...options) => {
      metrics.idReads.inc({ stream, kind: 'recover' })
      return storedIds.newest(...options)
    },
    find: (...options) => {
      metrics.idReads.inc({ stream, kind: 'find' })
      return storedIds.find(...options)
    }
  }
}

async function updateLag (
  { eventLog, streams, config }: ProcessorOptions, metrics: ProcessorMetrics
): Promise<void> {
  for (const { topic } of streams) {
    const [offsets, commits] = await Promise.all([
      eventLog.offsets(topic), eventLog.committedOffsets(config.group, topic)
    ])
    const committed = new Map(commits.map((commit) => [commit.partition, commit.offset]))
    for (const { partition, begin, end } of offsets) {
      metrics.lag.set({ topic, partition }, end - (committed.get(partition) ?? begin))
    }
  }
}

function partitionKey ({ topic, partition }: { topic: string, partition: number }): string {
  return `${topic}[${partition}]`
}
