/**
 * Point reads that arrive while a query is in flight share the next one: a query for fifty subjects costs
 * little more than a query for one.
 *
 * Guarantees: a read is answered from a query that began after the read arrived; requests leave the queue in
 * the order of their arrival, but for those that a batch may not hold together; a query that fails fails the
 * reads in it and no other; a read settles within `timeoutMs`. What a query does is decided by `readMany`.
 */
import { MillraceError } from '../contract/index.ts'

export interface SharedReadOptions<Request, Answer> {
  /**
   * Answers a batch, in the order of its requests. Its rejection is handed to every read of the batch. The
   * signal aborts when the answer is of no use any more; a call that ignores it keeps its place in flight.
   */
  readMany: (requests: readonly Request[], signal: AbortSignal) => Promise<readonly Answer[]>
  /** Reads that wait with equal keys are one request, and share its answer: treat an answer as frozen. */
  keyOf: (request: Request) => string
  /** Requests of different groups never share a batch. */
  groupOf: (request: Request) => string
  /** Requests of one subject never share a batch. */
  subjectOf: (request: Request) => string
  /** Size of a request within a query; a request above `batchBytesMax` goes alone. */
  bytesOf: (request: Request) => number
  limits: SharedReadLimits
  /** Called with the number of requests of each batch, before it is read. */
  onBatch?: (size: number) => void
}

export interface SharedReadLimits {
  batchSizeMax: number
  batchBytesMax: number
  /** Requests that may wait; a read beyond them is refused. */
  queueMax: number
  inFlightMax: number
  /**
   * Milliseconds between the starts of two queries of one group: a lone read starts at once, and under load
   * those that arrive meanwhile share a query. While the last query is under way the next one waits for its
   * end too, but for no more than OVERLAP_INTERVALS: a database that is slow gets fewer and larger queries,
   * and one slow query does not hold up all that comes after it. A full batch does not wait.
   */
  startIntervalMs: number
  /** Milliseconds that a read may take, waiting included; and a query by itself. */
  timeoutMs: number
}

/** Intervals after which a query of a group may start beside the last one. */
const OVERLAP_INTERVALS = 4

interface Reader<Answer> {
  resolve: (answer: Answer) => void
  reject: (reason: unknown) => void
}

/** One request and all who wait for its answer. */
interface Entry<Request, Answer> {
  request: Request
  key: string
  group: string
  readers: Set<Reader<Answer>>
}

export class SharedRead<Request, Answer> {
  private readonly options: SharedReadOptions<Request, Answer>
  /** In the order of arrival. */
  private readonly waiting = new Map<string, Entry<Request, Answer>>()
  private readonly inFlight = new Set<AbortController>()
  /** By group, until when it waits for more to share its next query. */
  private readonly restsUntilMs = new Map<string, number>()
  private closed = false
  private nextStart: NodeJS.Timeout | undefined

  constructor (options: SharedReadOptions<Request, Answer>) {
    this.options = options
  }

  /** Requests that wait for a query. */
  get waitingCount (): number {
    return this.waiting.size
  }

  /**
   * Rejects with MillraceError `overloaded` where the queue is full, `storage_unavailable` where the time is
   * up, `shutting_down` after `close`; with the reason of `signal` where that aborts; else with what
   * `readMany` rejected with.
   */
  read (request: Request, signal?: AbortSignal): Promise<Answer> {
    if (this.closed) return Promise.reject(new MillraceError('shutting_down', 'No reads after close'))
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const key = this.options.keyOf(request)
    let entry = this.waiting.get(key)
    if (entry === undefined) {
      if (this.waiting.size >= this.options.limits.queueMax) {
        return Promise.reject(new MillraceError('overloaded', `${this.waiting.size} reads are waiting`))
      }
      entry = { request, key, group: this.options.groupOf(request), readers: new Set() }
      this.waiting.set(key, entry)
    }
    const answer = this.join(entry, signal)
    this.startQueries()
    return answer
  }

  /** Refuses what waits and what comes, and aborts what is in flight. */
  close (): void {
    this.closed = true
    clearTimeout(this.nextStart)
    const error = new MillraceError('shutting_down', 'The reads were closed')
    for (const { readers } of this.waiting.values()) {
      for (const reader of readers) reader.reject(error)
    }
    for (const controller of this.inFlight) controller.abort(error)
  }

  private join (entry: Entry<Request, Answer>, signal: AbortSignal | undefined): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const settle = <Value>(outcome: (value: Value) => void) => (value: Value): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.leave(entry, reader)
      outcome(value)
    }
    const reader: Reader<Answer> = { resolve: settle(resolve), reject: settle(reject) }
    const onAbort = (): void => reader.reject(signal?.reason)
    const { timeoutMs } = this.options.limits
    const timer = setTimeout(() => reader.reject(timeoutError(timeoutMs)), timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    entry.readers.add(reader)
    return promise
  }

  /** A request that nobody waits for any more is not read. */
  private leave (entry: Entry<Request, Answer>, reader: Reader<Answer>): void {
    entry.readers.delete(reader)
    if (entry.readers.size === 0 && this.waiting.get(entry.key) === entry) this.waiting.delete(entry.key)
  }

  private startQueries (): void {
    const { inFlightMax, startIntervalMs } = this.options.limits
    while (this.inFlight.size < inFlightMax && this.waiting.size > 0) {
      const nowMs = performance.now()
      const group = this.nextGroup(nowMs)
      if (group === undefined) {
        this.startLater(Math.min(...this.restsUntilMs.values()) - nowMs)
        return
      }
      const untilMs = nowMs + OVERLAP_INTERVALS * startIntervalMs
      this.restsUntilMs.set(group, untilMs)
      const batch = this.takeBatch(group)
      this.options.onBatch?.(batch.length)
      this.readBatch(batch, () => {
        // A query that started beside this one has set another time.
        if (this.restsUntilMs.get(group) === untilMs) this.restsUntilMs.set(group, nowMs + startIntervalMs)
      })
    }
  }

  private startLater (ms: number): void {
    clearTimeout(this.nextStart)
    this.nextStart = setTimeout(() => this.startQueries(), Math.ceil(ms))
  }

  /** Of the groups that have rested, or fill a batch, the one that waits longest. */
  private nextGroup (nowMs: number): string | undefined {
    for (const [group, untilMs] of this.restsUntilMs) {
      if (untilMs <= nowMs) this.restsUntilMs.delete(group)
    }
    const sizes = new Map<string, number>()
    for (const { group } of this.waiting.values()) {
      const size = (sizes.get(group) ?? 0) + 1
      if (!this.restsUntilMs.has(group) || size >= this.options.limits.batchSizeMax) return group
      sizes.set(group, size)
    }
    return undefined
  }

  /** The longest waiting request of a group, and those behind it that fit beside it. */
  private takeBatch (group: string): Array<Entry<Request, Answer>> {
    const { subjectOf, bytesOf, limits } = this.options
    const batch: Array<Entry<Request, Answer>> = []
    const subjects = new Set<string>()
    let bytes = 0
    for (const entry of this.waiting.values()) {
      if (batch.length === limits.batchSizeMax) break
      if (entry.group !== group) continue
      const { request } = entry
      const subject = subjectOf(request)
      const size = bytesOf(request)
      if (subjects.has(subject)) continue
      if (batch.length > 0 && bytes + size > limits.batchBytesMax) continue
      subjects.add(subject)
      bytes += size
      batch.push(entry)
    }
    for (const { key } of batch) this.waiting.delete(key)
    return batch
  }

  /** Never rejects: the readers are told. */
  private async readBatch (
    batch: ReadonlyArray<Entry<Request, Answer>>, onEnd: () => void
  ): Promise<void> {
    const controller = new AbortController()
    const { timeoutMs } = this.options.limits
    const timer = setTimeout(() => controller.abort(timeoutError(timeoutMs)), timeoutMs)
    this.inFlight.add(controller)
    try {
      const answers = await this.options.readMany(batch.map(({ request }) => request), controller.signal)
      for (const [index, { readers }] of batch.entries()) {
        for (const reader of readers) reader.resolve(answers[index] as Answer)
      }
    } catch (error) {
      for (const { readers } of batch) {
        for (const reader of readers) reader.reject(error)
      }
    } finally {
      clearTimeout(timer)
      this.inFlight.delete(controller)
      onEnd()
      this.startQueries()
    }
  }
}

function timeoutError (timeoutMs: number): MillraceError {
  return new MillraceError('storage_unavailable', `No answer within ${timeoutMs} ms`)
}
