/**
 * Group commit of one topic. What queues while an append is in flight goes into the next one. A lone request
 * is appended at once; under load the starts of appends keep a distance, so that those that arrive meanwhile
 * share one. Guarantees: a record is in at most one append that the log did not refuse whole; with one append
 * in flight, records are appended in the order they came; a record answered while it was still queued is
 * never appended.
 */
import { MillraceError } from '../contract/index.ts'
import { LogFullError, LogUnavailableError, RecordTooLargeError } from '../eventlog/index.ts'
import { cutUnits } from './append-units.ts'
import type { AppendRecord } from '../eventlog/index.ts'
import type { AppendUnit } from './append-units.ts'
import type { GroupAppenderOptions } from './group-appender.ts'

/** So many make an append worth its cost: they do not wait for more. */
const UNPACED_RECORDS = 32

/** One request, or a part of one, that waits for its records. */
interface Waiter extends AppendUnit {
  deadlineMs: number
  answered: boolean
  resolve: () => void
  reject: (error: MillraceError) => void
}

export class TopicAppender {
  readonly #options: Required<GroupAppenderOptions> & { topic: string }
  readonly #metrics
  /** Waiting for an append, oldest first: so deadlines rise too. */
  #queue: Waiter[] = []
  #queueRecords = 0
  #queueBytes = 0
  #flushScheduled = false
  #lastStartMs = -Infinity
  #nextStart: NodeJS.Timeout | undefined
  readonly #inFlight = new Set<readonly Waiter[]>()
  #budgetTimer: NodeJS.Timeout | undefined
  #unanswered = 0
  #drainWaiters: Array<() => void> = []

  constructor (options: Required<GroupAppenderOptions> & { topic: string }) {
    this.#options = options
    const { accepted, queueRecords, appendSeconds, batchRecords } = options.metrics
    const stream = options.topic
    this.#metrics = {
      accepted: accepted.labels(stream),
      queueRecords: queueRecords.labels(stream),
      appendSeconds: appendSeconds.labels(stream),
      batchRecords: batchRecords.labels(stream)
    }
  }

  /** Takes all of the records or none. */
  append (records: readonly AppendRecord[]): Promise<void> {
    const { config } = this.#options
    const units = cutUnits(records, config)
    if (units === undefined) return Promise.reject(tooLarge())
    const bytes = units.reduce((sum, unit) => sum + unit.bytes, 0)
    if (this.#queueRecords + records.length > config.queueRecordsMax ||
      this.#queueBytes + bytes > config.queueBytesMax) {
      return Promise.reject(new MillraceError('overloaded', 'Too many events wait for the log'))
    }
    const [first, ...others] = units
    const appended = this.#enqueue(first as AppendUnit)
    if (others.length === 0) return appended
    return Promise.all([appended, ...others.map((unit) => this.#enqueue(unit))]).then(() => undefined)
  }

  #enqueue ({ records, bytes }: AppendUnit): Promise<void> {
    const { config, monotonicMs } = this.#options
    return new Promise((resolve, reject) => {
      const deadlineMs = monotonicMs() + config.budgetMs
      this.#queue.push({ records, bytes, deadlineMs, answered: false, resolve, reject })
      this.#queueRecords += records.length
      this.#queueBytes += bytes
      this.#unanswered += 1
      this.#budgetTimer ??= setTimeout(() => this.#expire(), config.budgetMs)
      this.#scheduleFlush()
    })
  }

  /** Resolves when no request waits any more. */
  drained (): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve()
    return new Promise((resolve) => { this.#drainWaiters.push(resolve) })
  }

  /** The append begins after the I/O events at hand, so that all requests among them share it. */
  #scheduleFlush (): void {
    if (this.#flushScheduled || this.#inFlight.size >= this.#options.config.appendsInFlightMax) return
    this.#flushScheduled = true
    setImmediate(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush (): void {
    const { appendsInFlightMax } = this.#options.config
    while (this.#queue.length > 0 && this.#inFlight.size < appendsInFlightMax) {
      const restMs = this.#restMs()
      if (restMs > 0) {
        this.#startLater(restMs)
        break
      }
      const batch = this.#takeBatch()
      this.#inFlight.add(batch)
      this.#lastStartMs = this.#options.monotonicMs()
      this.#run(batch)
    }
    this.#metrics.queueRecords.set(this.#queueRecords)
  }

  /** Milliseconds until the next append may begin. */
  #restMs (): number {
    const { config: { appendIntervalMs }, monotonicMs } = this.#options
    if (this.#queueRecords >= UNPACED_RECORDS) return 0
    return this.#lastStartMs + appendIntervalMs - monotonicMs()
  }

  #startLater (ms: number): void {
    this.#nextStart ??= setTimeout(() => {
      this.#nextStart = undefined
      this.#flush()
    }, Math.ceil(ms))
  }

  #takeBatch (): readonly Waiter[] {
    const { batchRecordsMax, batchBytesMax } = this.#options.config
    let count = 0
    let records = 0
    let bytes = 0
    for (const waiter of this.#queue) {
      if (records + waiter.records.length > batchRecordsMax || bytes + waiter.bytes > batchBytesMax) break
      records += waiter.records.length
      bytes += waiter.bytes
      count += 1
    }
    this.#queueRecords -= records
    this.#queueBytes -= bytes
    return this.#queue.splice(0, count)
  }

  async #run (batch: readonly Waiter[]): Promise<void> {
    const { monotonicMs } = this.#options
    const startMs = monotonicMs()
    const failure = await this.#appendToLog(batch)
    this.#metrics.appendSeconds.observe((monotonicMs() - startMs) / 1000)
    this.#metrics.batchRecords.observe(batch.reduce((sum, waiter) => sum + waiter.records.length, 0))
    if (failure instanceof RecordTooLargeError && batch.length > 1) await this.#runSingly(batch)
    // The next append begins before this one is answered: the log is the slower of the two.
    this.#inFlight.delete(batch)
    this.#flush()
    this.#settle(batch, failure)
  }

  /** Nothing of a batch with too large a record was stored: each request is tried alone, in order. */
  async #runSingly (batch: readonly Waiter[]): Promise<void> {
    for (const waiter of batch) {
      if (!waiter.answered) this.#settle([waiter], await this.#appendToLog([waiter]))
    }
  }

  /** Returns what the log threw, or undefined. */
  async #appendToLog (batch: readonly Waiter[]): Promise<unknown> {
    const { log, topic } = this.#options
    const records = batch.flatMap((waiter) => waiter.records)
    try {
      await log.append(topic, records)
      this.#metrics.accepted.inc(records.length)
      return undefined
    } catch (error) {
      return error ?? new Error('The log rejected without a reason')
    }
  }

  #settle (waiters: readonly Waiter[], failure: unknown): void {
    for (const waiter of waiters) {
      if (waiter.answered) continue
      waiter.answered = true
      this.#unanswered -= 1
      if (failure === undefined) waiter.resolve()
      else waiter.reject(toRefusal(failure))
    }
    if (this.#unanswered > 0) return
    for (const drained of this.#drainWaiters.splice(0)) drained()
  }

  /** Answers every request whose budget has passed; those still queued leave the queue, unstored. */
  #expire (): void {
    const nowMs = this.#options.monotonicMs()
    const isLate = (waiter: Waiter) => waiter.deadlineMs <= nowMs
    const firstInTime = this.#queue.findIndex((waiter) => !isLate(waiter))
    const late = this.#queue.splice(0, firstInTime === -1 ? this.#queue.length : firstInTime)
    for (const waiter of late) {
      this.#queueRecords -= waiter.records.length
      this.#queueBytes -= waiter.bytes
    }
    this.#metrics.queueRecords.set(this.#queueRecords)
    const waiting = [...this.#inFlight].flat().filter((waiter) => !waiter.answered)
    const failure = new Error(`The log did not confirm within ${this.#options.config.budgetMs} ms`)
    this.#settle([...waiting.filter(isLate), ...late], failure)
    const next = [...waiting, ...this.#queue].find((waiter) => !waiter.answered)
    this.#budgetTimer = next === undefined
      ? undefined
      : setTimeout(() => this.#expire(), Math.max(1, Math.ceil(next.deadlineMs - nowMs)))
  }
}

function toRefusal (failure: unknown): MillraceError {
  if (failure instanceof RecordTooLargeError) return tooLarge()
  if (failure instanceof LogUnavailableError && failure.cause instanceof LogFullError) {
    return new MillraceError('log_full', failure.message, { cause: failure })
  }
  return new MillraceError('log_unavailable', 'The log did not confirm the event', { cause: failure })
}

function tooLarge (): MillraceError {
  return new MillraceError('body_too_large', 'The event is larger than the log takes')
}
