/**
 * Reads a stretch of the log into a table by the processors' own delivery protocol, under a consumer group of
 * its own: exactly once, resumable, with the same decisions (what is a duplicate, what is erased) as when the
 * records were first stored.
 */
import { createDecoder } from '../contract/index.ts'
import { runPartitionWorker } from '../processors/index.ts'
import { boundedSession } from './bounded-session.ts'
import type { SchemaRegistry, Stream } from '../contract/index.ts'
import type { EventLog } from '../eventlog/index.ts'
import type { ProcessorConfig, RecordErasures, Sink, StoredIds, WorkerOptions } from '../processors/index.ts'
import type { ReplayStore } from './replay-store.ts'
import type { ReplayState } from './replay-tables.ts'

/** The log has what a replay reads: a batch need not wait long to fill. */
const BATCH_AGE_MS_MAX = 100

/** What a replay works with. */
export interface ReplaySources {
  eventLog: EventLog
  registry?: SchemaRegistry
  sink: Sink
  /** What the raw table holds. */
  storedIdsOf: (stream: Stream) => StoredIds
  erasures: RecordErasures
  config: ProcessorConfig
  log: { info: (fields: object, message: string) => void, warn: (fields: object, message: string) => void }
}

export interface ReadLogOptions extends ReplaySources {
  store: Pick<ReplayStore, 'deadLettersOf'>
  stream: Stream
  /** Table for the rows. */
  table: string
  state: ReplayState
  /** Told how many of all offsets have been read. */
  onProgress: (done: number, total: number) => void
  signal: AbortSignal
}

/** Resolves when everything up to the state's ends is in the table. Rejects when aborted. */
export async function readLog (options: ReadLogOptions): Promise<void> {
  const { eventLog, stream, state, config, signal } = options
  const group = `${config.group}-replay-${state.id}`
  const progress = await Progress.start(options, group)
  // What was a dead letter stays one, though it may be readable by now: if it was retried, it has come again.
  const deadLetters = await options.store.deadLettersOf(stream.topic)
  const done = Promise.withResolvers<void>()
  const finish = (): void => { if (progress.isComplete) done.resolve() }
  finish()
  const onAbort = (): void => done.reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  const consumer = await eventLog.consume({
    group,
    topics: [stream.topic],
    onPartition: async (session) => {
      const { partition } = session
      const bounded = boundedSession(session, {
        end: state.ends[partition] ?? 0, arrivals: state, leftOut: deadLetters.get(partition) ?? new Set()
      })
      await runPartitionWorker(workerOptions(options, bounded, (end) => progress.reached(partition, end)))
      if (session.signal.aborted) return
      progress.reached(partition, Infinity)
      finish()
      // Kept until the consumer stops, or it would be given out again.
      await new Promise((resolve) => { session.signal.addEventListener('abort', resolve) })
    },
    onError: (error) => options.log.warn({ err: error }, 'consumer fault')
  })
  try {
    signal.throwIfAborted()
    await done.promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    await consumer.stop()
  }
}

function workerOptions (
  { stream, table, registry, sink, storedIdsOf, erasures, config, log }: ReadLogOptions,
  session: WorkerOptions['session'],
  reached: (end: number) => void
): WorkerOptions {
  return {
    session,
    stream,
    decoder: createDecoder(stream, registry),
    sink,
    tables: { rows: table },
    storedIds: storedIdsOf(stream),
    erasures,
    limits: { ...config.batch, ageMsMax: BATCH_AGE_MS_MAX },
    duplicates: config.duplicates,
    retryMsMax: config.retryMsMax,
    schemaWaitMs: 0,
    monotonicMs: () => performance.now(),
    observer: {
      stored: (batch) => reached(batch.end),
      retrying: ({ topic, partition, error, attempt }) => {
        log.warn({ topic, partition, attempt, err: error }, 'replay failed, trying again')
      },
      // Records that did not arrive in time are left out on purpose.
      missing: () => {}
    }
  }
}

/** How far each partition has been read. */
class Progress {
  readonly #begins: ReadonlyMap<number, number>
  readonly #ends: ReadonlyMap<number, number>
  readonly #at: Map<number, number>
  readonly #tell: ReadLogOptions['onProgress']

  static async start (
    { eventLog, stream, state, onProgress }: ReadLogOptions, group: string
  ): Promise<Progress> {
    const [offsets, commits] = await Promise.all([
      eventLog.offsets(stream.topic), eventLog.committedOffsets(group, stream.topic)
    ])
    const begins = new Map(offsets.map(({ partition, begin }) => [partition, begin]))
    const ends = new Map(offsets.map(({ partition }) => [partition, state.ends[partition] ?? 0]))
    const at = new Map(begins)
    for (const { partition, offset } of commits) at.set(partition, offset)
    return new Progress(begins, ends, at, onProgress)
  }

  private constructor (
    begins: ReadonlyMap<number, number>,
    ends: ReadonlyMap<number, number>,
    at: Map<number, number>,
    tell: ReadLogOptions['onProgress']
  ) {
    this.#begins = begins
    this.#ends = ends
    this.#at = at
    this.#tell = tell
  }

  get isComplete (): boolean {
    return [...this.#ends].every(([partition, end]) => (this.#at.get(partition) ?? 0) >= end)
  }

  reached (partition: number, offset: number): void {
    const end = this.#ends.get(partition) ?? 0
    this.#at.set(partition, Math.min(offset, end))
    let done = 0
    let total = 0
    for (const [one, last] of this.#ends) {
      const begin = Math.min(this.#begins.get(one) ?? 0, last)
      total += last - begin
      done += Math.max(0, (this.#at.get(one) ?? begin) - begin)
    }
    this.#tell(done, total)
  }
}
