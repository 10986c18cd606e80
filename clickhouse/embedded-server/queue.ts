import { serverError } from './server-error.ts'

interface Waiting {
  start: () => void
}

/** Lets a fixed number of tasks run at once; a fixed number waits, in order; one more is refused. */
export class BoundedQueue {
  private readonly runningMax: number
  private readonly waitingMax: number
  private running = 0
  private readonly waiting: Waiting[] = []

  constructor ({ runningMax, waitingMax }: { runningMax: number, waitingMax: number }) {
    this.runningMax = runningMax
    this.waitingMax = waitingMax
  }

  /**
   * Runs `task` when its turn comes. Throws ServerError TOO_MANY_SIMULTANEOUS_QUERIES where the queue is
   * full, or the signal's reason where it aborts before the turn.
   */
  async run<T> (signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.turn(signal)
    try {
      return await task()
    } finally {
      this.running -= 1
      this.waiting.shift()?.start()
    }
  }

  private async turn (signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.running < this.runningMax) {
      this.running += 1
      return
    }
    if (this.waiting.length >= this.waitingMax) {
      throw serverError('TOO_MANY_SIMULTANEOUS_QUERIES', `${this.waitingMax} queries wait already`)
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.waiting.splice(this.waiting.indexOf(entry), 1)
        reject(signal.reason)
      }
      const entry: Waiting = {
        start: () => {
          signal.removeEventListener('abort', leave)
          this.running += 1
          resolve()
        }
      }
      this.waiting.push(entry)
      signal.addEventListener('abort', leave, { once: true })
    })
  }
}
