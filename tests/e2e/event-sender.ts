import { setTimeout as pause } from 'node:timers/promises'
import { tag } from './user-tag-events.ts'
import { until } from '../support/until.ts'
import type { Tag } from './user-tag-events.ts'
import type { Millrace } from '../support/millrace.ts'

const COOKIES = 20
/** Between two events of one connection, so that a test's load leaves the machine some air. */
const PAUSE_MS = 15
const START_MS = Date.UTC(2022, 2, 22, 12)

export interface EventSenderOptions {
  millrace: Millrace
  connections: number
  /** A sender that has stopped: this one goes on where it ended, and remembers what it knew. */
  after?: EventSender
}

/**
 * Posts numbered events over many connections until it is stopped, whatever becomes of the system, and
 * remembers which were acknowledged. Event n has the origin `n<n>`: so every table, the rollup too, tells it
 * from all others.
 */
export class EventSender {
  /** Numbers of the events that were answered 204. */
  readonly acknowledged: Set<number>
  /** Numbers of the events whose outcome is unknown, or which were refused. */
  readonly unknown: Set<number>
  readonly #millrace: Millrace
  readonly #connections: Array<Promise<void>>
  #next: number
  #stopped = false

  constructor ({ millrace, connections, after }: EventSenderOptions) {
    this.#millrace = millrace
    this.acknowledged = new Set(after?.acknowledged)
    this.unknown = new Set(after?.unknown)
    this.#next = after === undefined ? 0 : after.#next
    this.#connections = Array.from({ length: connections }, () => this.#run())
  }

  static eventOf (number: number): Tag {
    return tag({
      time: new Date(START_MS + number * 7).toISOString(),
      cookie: `cookie-${number % COOKIES}`,
      action: number % 3 === 0 ? 'BUY' : 'VIEW',
      origin: `n${number}`,
      product: number,
      price: number
    })
  }

  /** Resolves when so many more events are acknowledged. */
  async acknowledgesMore (count: number, deadlineMs: number): Promise<void> {
    const goal = this.acknowledged.size + count
    await until(`${count} more events are acknowledged`, deadlineMs, () => this.acknowledged.size >= goal || undefined)
  }

  /** Ends when every request has its answer, or its failure. */
  async stop (): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#connections)
  }

  async #run (): Promise<void> {
    while (!this.#stopped) {
      const number = this.#next++
      const accepted = await this.#millrace.post(EventSender.eventOf(number))
        .then(({ status }) => status === 204, () => false)
      const outcome = accepted ? this.acknowledged : this.unknown
      outcome.add(number)
      await pause(PAUSE_MS)
    }
  }
}
