/**
 * Turns fetches that come when they come into reads that ask: holds where a partition is read, what was
 * fetched ahead, and the one read that waits. It says what it wishes to have; PartitionFetcher fetches.
 */
import { FencedError, LogUnavailableError } from '../event-log.ts'
import type { FetchedMessage, TopicPartition } from './cluster.ts'
import type { LogRecord, ReadOptions } from '../event-log.ts'

/** A read that starts while a fetch is on its way waits for it: at most this long. */
const FETCH_WAIT_MS_MAX = 250
const FETCH_BYTES_MIN = 1024
const FETCH_BYTES_MAX = 1024 * 1024
/** What is worth an answer of its own when nobody waits for it. */
const AHEAD_BYTES_MIN = 64 * 1024
const EMPTY = Buffer.alloc(0)

export interface FetchWish {
  reader: PartitionReader
  /** Changes with every seek: an answer to an older wish is dropped. */
  epoch: number
  offset: number
  startedAt: number
  minBytes: number
  maxBytes: number
  maxWaitMs: number
}

interface Waiting {
  startedAt: number
  deadline: number
  expired: boolean
  /** Whether a fetch that began after the read was answered: only then does "nothing" mean nothing. */
  answered: boolean
  resolve: (records: LogRecord[]) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout | undefined
}

export class PartitionReader {
  readonly place: TopicPartition
  readonly #wake: () => void
  readonly #answerMsMax: number
  #options: ReadOptions | undefined
  #buffer: LogRecord[] = []
  #bufferBytes = 0
  /** Where the next read goes on without a seek, and where the next fetch does. */
  #readOffset = -1
  #fetchOffset = -1
  #epoch = 0
  #beyondEnd = false
  #fetching = false
  #waiting: Waiting | undefined
  #ended = false

  /** `wake` is called when there may be something to fetch; `answerMsMax` is how late an answer may come. */
  constructor ({ place, wake, answerMsMax }: {
    place: TopicPartition, wake: () => void, answerMsMax: number
  }) {
    this.place = place
    this.#wake = wake
    this.#answerMsMax = answerMsMax
  }

  async read (options: ReadOptions): Promise<LogRecord[]> {
    if (this.#ended) throw new FencedError('The session is over')
    if (this.#waiting !== undefined) throw new TypeError('A session reads one thing at a time')
    if (options.offset !== this.#readOffset) this.#seek(options.offset)
    this.#options = options
    this.#beyondEnd = false
    const startedAt = performance.now()
    const deadline = startedAt + options.maxWaitMs
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#expire(), options.maxWaitMs)
      this.#waiting = { startedAt, deadline, expired: false, answered: false, resolve, reject, timer }
      this.#settle()
      this.#wake()
    })
  }

  /** What to fetch now; undefined where enough is there or nobody ever read. */
  wish (): FetchWish | undefined {
    const options = this.#options
    if (options === undefined || this.#ended || this.#beyondEnd) return undefined
    if (this.#bufferBytes >= options.maxBytes || this.#buffer.length >= options.maxRecords) return undefined
    const startedAt = performance.now()
    const missing = Math.min(options.minBytes, options.maxBytes) - this.#bufferBytes
    const left = this.#waiting === undefined ? FETCH_WAIT_MS_MAX : this.#waiting.deadline - startedAt
    return {
      reader: this,
      epoch: this.#epoch,
      offset: this.#fetchOffset,
      startedAt,
      minBytes: missing > 0 ? missing : AHEAD_BYTES_MIN,
      maxBytes: Math.min(Math.max(options.maxBytes - this.#bufferBytes, FETCH_BYTES_MIN), FETCH_BYTES_MAX),
      maxWaitMs: Math.min(Math.max(Math.ceil(left), 0), FETCH_WAIT_MS_MAX)
    }
  }

  /** A fetch is on its way. */
  fetching (): void {
    this.#fetching = true
  }

  /** The fetch has ended without an answer for this partition. */
  failed (): void {
    this.#fetching = false
    this.#settle()
  }

  fetched ({ epoch, offset, startedAt }: FetchWish, messages: readonly FetchedMessage[]): void {
    this.#fetching = false
    if (epoch === this.#epoch) {
      this.#push(messages, offset)
      if (this.#waiting !== undefined && startedAt >= this.#waiting.startedAt) this.#waiting.answered = true
    }
    this.#settle()
  }

  /** The offset of the wish is not in the log, whose oldest is `begin`. */
  outOfRange (wish: FetchWish, begin: number): void {
    if (wish.epoch === this.#epoch) {
      if (wish.offset < begin) this.#fetchOffset = begin
      else this.#beyondEnd = true
    }
    this.fetched(wish, [])
  }

  end (reason: Error): void {
    this.#ended = true
    this.#buffer = []
    this.#finish()?.reject(reason)
  }

  #seek (offset: number): void {
    this.#epoch += 1
    this.#readOffset = this.#fetchOffset = offset
    this.#buffer = []
    this.#bufferBytes = 0
  }

  #push (messages: readonly FetchedMessage[], requested: number): void {
    for (const message of messages) {
      const offset = Number(message.offset)
      // A broker answers with whole batches: what stands before the offset in the first is not asked for.
      if (offset < this.#fetchOffset) continue
      this.#fetchOffset = offset + 1
      if (message.isControlRecord) continue
      const { key, value, timestamp } = message
      this.#bufferBytes += value?.length ?? 0
      this.#buffer.push({ offset, key: key ?? EMPTY, value: value ?? EMPTY, timestampMs: Number(timestamp) })
    }
    // A batch whose end was compacted away has nothing at or after the offset: step over it.
    if (messages.length > 0 && this.#fetchOffset === requested) this.#fetchOffset += 1
  }

  #settle (): void {
    const waiting = this.#waiting
    const options = this.#options
    if (waiting === undefined || options === undefined) return
    const some = this.#buffer.length > 0
    const enough = some && this.#bufferBytes >= Math.min(options.minBytes, options.maxBytes)
    const full = this.#buffer.length >= options.maxRecords
    const over = waiting.expired && !this.#fetching && (waiting.answered || some)
    if (!enough && !full && !over) return
    this.#finish()?.resolve(this.#take(options))
  }

  #take ({ maxBytes, maxRecords }: ReadOptions): LogRecord[] {
    let bytes = 0
    let count = 0
    for (const { value } of this.#buffer) {
      if (count >= maxRecords || (count > 0 && bytes + value.length > maxBytes)) break
      bytes += value.length
      count += 1
    }
    const taken = this.#buffer.splice(0, count)
    this.#bufferBytes -= bytes
    this.#readOffset = (taken.at(-1)?.offset ?? this.#readOffset - 1) + 1
    return taken
  }

  #expire (): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    waiting.expired = true
    waiting.timer = setTimeout(() => {
      const { topic, partition } = this.place
      const text = `read ${topic}/${partition}: no answer within ${this.#answerMsMax} ms`
      this.#finish()?.reject(new LogUnavailableError(text))
    }, this.#answerMsMax)
    this.#settle()
    this.#wake()
  }

  #finish (): Waiting | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    clearTimeout(waiting?.timer)
    return waiting
  }
}
