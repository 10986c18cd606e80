import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { LogFullError, LogUnavailableError } from '../event-log.ts'
import { CLOSE, monotonicMs } from './append-message.ts'
import type {
  Append, AppendAnswer, AppendRefused, AppendRequest, AppendThreadData, ExpireRequest
} from './append-message.ts'

export interface AppendClientOptions extends AppendThreadData {
  writeTimeoutMs: number
}

interface Waiter {
  resolve: (bases: number[]) => void
  reject: (error: LogUnavailableError) => void
  timer: NodeJS.Timeout
}

/** Appends through a thread of its own (append-thread.ts), which is started when it is first needed. */
export class AppendClient {
  readonly #options: AppendClientOptions
  readonly #waiters = new Map<number, Waiter>()
  /** Bytes of what the thread was given, by request, until it answers: an answer that is too late, too. */
  readonly #held = new Map<number, number>()
  #heldBytes = 0
  #thread: Worker | undefined
  #nextId = 0

  constructor (options: AppendClientOptions) {
    this.#options = options
  }

  /** Bytes of appends that the thread has, those included that nobody waits for any more. */
  get heldBytes (): number {
    return this.#heldBytes
  }

  /** Starts the thread if it does not run. It does not keep the process alive; a waiting append does. */
  start (): Worker {
    if (this.#thread !== undefined) return this.#thread
    const { database, directory, bytesMax, segmentBytes } = this.#options
    const workerData: AppendThreadData = { database, directory, bytesMax, segmentBytes }
    const thread = new Worker(new URL('append-thread.ts', import.meta.url), { workerData })
    thread.unref()
    thread.on('message', (answers: AppendAnswer[]) => {
      for (const answer of answers) {
        this.#release(answer.id)
        this.#settle(answer)
      }
    })
    let fault: unknown
    thread.on('error', (error) => { fault = error })
    thread.on('exit', () => {
      this.#thread = undefined
      for (const id of [...this.#held.keys()]) this.#release(id)
      for (const id of [...this.#waiters.keys()]) this.#settle({ id, refusal: 'fault', fault })
    })
    this.#thread = thread
    return thread
  }

  /**
   * Resolves, when the append is durable, to the base offset of each batch. Takes the buffer over. Throws
   * LogUnavailableError when the log cannot be written, is full, or does not commit within `writeTimeoutMs`.
   */
  async append (append: Append): Promise<number[]> {
    const thread = this.start()
    const id = this.#nextId++
    const { writeTimeoutMs } = this.#options
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle({ id, refusal: 'late' }), writeTimeoutMs)
      this.#waiters.set(id, { resolve, reject, timer })
      this.#held.set(id, append.buffer.length)
      this.#heldBytes += append.buffer.length
      const request: AppendRequest = { ...append, id, deadlineMs: monotonicMs() + writeTimeoutMs }
      thread.postMessage(request, [append.buffer.buffer as ArrayBuffer])
    })
  }

  /** Lets the thread delete what has become too old; nobody waits for it. */
  expire (nowMs: number): void {
    const request: ExpireRequest = { expireAtMs: nowMs }
    this.start().postMessage(request)
  }

  /** Waits for the appends under way and ends the thread. */
  async close (): Promise<void> {
    if (this.#thread === undefined) return
    this.#thread.ref()
    this.#thread.postMessage(CLOSE)
    await once(this.#thread, 'exit')
  }

  #release (id: number): void {
    this.#heldBytes -= this.#held.get(id) ?? 0
    this.#held.delete(id)
  }

  #settle (answer: AppendAnswer): void {
    const waiter = this.#waiters.get(answer.id)
    if (waiter === undefined) return
    this.#waiters.delete(answer.id)
    clearTimeout(waiter.timer)
    if ('bases' in answer) waiter.resolve(answer.bases)
    else waiter.reject(this.#error(answer))
  }

  #error (answer: AppendRefused): LogUnavailableError {
    const { bytesMax, writeTimeoutMs } = this.#options
    if (answer.refusal === 'late') {
      return new LogUnavailableError(`The embedded log did not commit within ${writeTimeoutMs} ms`)
    }
    if (answer.refusal === 'full') {
      const cause = new LogFullError(`The append would exceed the limit of ${bytesMax} bytes`)
      return new LogUnavailableError(`The embedded log is full: it may hold ${bytesMax} bytes`, { cause })
    }
    return new LogUnavailableError('The embedded log could not write', { cause: answer.fault })
  }
}
