import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../support/until.ts'
import type { Millrace } from '../support/millrace.ts'

const CONNECTIONS = 4
const EVENTS_MAX = 100
const MS_MAX = 120_000
/** Between two requests of one connection, so that a test's load leaves the machine some air. */
const PAUSE_MS = 50

/** A request of events: who was in it, and when it was sent and answered. */
interface Sent {
  sentAt: number
  answeredAt: number
  acknowledged: boolean
}

/** What a table holds of one event, by its name. */
export interface StoredEvent {
  name: string
  times: number
}

/**
 * Sends page views of many subjects until it is stopped, erases some of them meanwhile, and judges what is
 * left: an event that was acknowledged before its subject's erasure was asked for must be gone, one that was
 * sent after the answer must be there, and so must everybody else's, once. What lies between may be either.
 */
export class EraseLoad {
  readonly #millrace: Millrace
  readonly #subjects: number
  readonly #events = new Map<number, Sent>()
  readonly #erasures = new Map<number, { askedAt: number, answeredAt: number }>()
  readonly #connections: Array<Promise<void>>
  #next = 0
  #stopped = false
  acknowledgedCount = 0

  constructor ({ millrace, subjects }: { millrace: Millrace, subjects: number }) {
    this.#millrace = millrace
    this.#subjects = subjects
    this.#connections = Array.from({ length: CONNECTIONS }, () => this.#run())
  }

  async stop (): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#connections)
  }

  /** Erases a subject, by its number; the erasure's id. A refusal is asked again. */
  async erase (subject: number): Promise<string> {
    const askedAt = performance.now()
    return await until(`subject ${subject} is erased`, MS_MAX, async () => {
      const { status, text } = await this.#millrace.http.send({ method: 'DELETE', path: `/user/s${subject}` })
      if (status !== 202) return undefined
      this.#erasures.set(subject, { askedAt, answeredAt: performance.now() })
      return (JSON.parse(text) as { id: string }).id
    })
  }

  /** How often a table holds each event. */
  async storedIn (table: string): Promise<StoredEvent[]> {
    return await this.#millrace.sql<StoredEvent>(`SELECT name, count() AS times FROM ${table} GROUP BY name`)
  }

  judge (stored: readonly StoredEvent[]): Record<'erasedButThere' | 'lost' | 'twice', number[]> {
    const there = new Set(stored.map(({ name }) => Number(name)))
    const acknowledged = [...this.#events].filter(([, sent]) => sent.acknowledged)
    return {
      erasedButThere: acknowledged.filter(([number, { answeredAt }]) => {
        const erasure = this.#erasures.get(number % this.#subjects)
        return erasure !== undefined && answeredAt < erasure.askedAt && there.has(number)
      }).map(([number]) => number),
      lost: acknowledged.filter(([number, { sentAt }]) => {
        const erasure = this.#erasures.get(number % this.#subjects)
        return (erasure === undefined || sentAt > erasure.answeredAt) && !there.has(number)
      }).map(([number]) => number),
      twice: stored.filter(({ times }) => times > 1).map(({ name }) => Number(name))
    }
  }

  summary (): string {
    return `${this.acknowledgedCount} events of ${this.#subjects} subjects acknowledged, ${this.#erasures.size} erased`
  }

  /** Event n is the view of page n by the subject n modulo their number. */
  async #run (): Promise<void> {
    while (!this.#stopped) {
      const numbers = Array.from({ length: EVENTS_MAX }, () => this.#next++)
      const body = JSON.stringify(numbers.map((number) => ({
        timestamp: '2026-03-04T05:06:07Z', user_id: `s${number % this.#subjects}`, name: String(number)
      })))
      const sentAt = performance.now()
      const acknowledged = await this.#millrace.http.send({
        method: 'POST', path: '/events/page_views', headers: { 'content-type': 'application/json' }, body
      }).then(({ status }) => status >= 200 && status < 300, () => false)
      const answeredAt = performance.now()
      for (const number of numbers) this.#events.set(number, { sentAt, answeredAt, acknowledged })
      if (acknowledged) this.acknowledgedCount += numbers.length
      await pause(PAUSE_MS)
    }
  }
}
