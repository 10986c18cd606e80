/**
 * Clients that send numbered events, whatever becomes of the system: most of them repeat a request, with the
 * same event ids, until it is acknowledged; some give up soon; some hang up and never hear the answer; some
 * send again what was acknowledged.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { LoopbackClient } from '../loopback-client.ts'
import { Pacer } from '../pacer.ts'
import { SentEvents } from './sent-events.ts'
import { tagOf, viewOf } from './numbered-events.ts'
import type { SeededRandom } from '../../tests/support/seeded-random.ts'

const CLIENTS = 24
const BATCH_MAX = 150
/** Of 100 requests: with one event alone, and with events of the second stream. */
const SINGLE_PERCENT = 10
const VIEWS_PERCENT = 15
/**
 * Of 100 requests: given up after the first or second failure; hung up before the answer; sent again although
 * acknowledged.
 */
const IMPATIENT_PERCENT = 15
const HANG_UP_PERCENT = 3
const AGAIN_PERCENT = 3
/** Some of those who hang up do it before ingest has read the request, some after it has answered. */
const HANG_UP_MS_MAX = 20
/** Together longer than any fault lasts; then a client gives up. */
const ATTEMPTS_MAX = 60
const PAUSE_MS_MIN = 100
const PAUSE_MS_MAX = 2_000
const IDLE_MS = 10

export interface LoadCounts {
  requests: number
  /** Requests that were sent again because they had not been acknowledged. */
  retries: number
  /** Requests that were sent again although they had been acknowledged. */
  repeats: number
  /** Parcels that were given up after some failures. */
  givenUp: number
  /** Parcels that were sent once, by a client that did not wait long for the answer. */
  hungUp: number
}

interface Parcel {
  events: SentEvents
  numbers: number[]
  path: string
  body: string
  headers: Record<string, string>
}

export interface LoadOptions {
  /** Of ingest. */
  url: string
  random: SeededRandom
  /** Events a second, while the system takes them. */
  perSecond: number
}

export class Load {
  readonly tags = new SentEvents()
  readonly views = new SentEvents()
  readonly counts: LoadCounts = { requests: 0, retries: 0, repeats: 0, givenUp: 0, hungUp: 0 }
  readonly #random: SeededRandom
  readonly #client: LoopbackClient
  readonly #pacer: Pacer
  readonly #clients: Array<Promise<void>>
  #budget = 0
  #stopped = false

  constructor ({ url, random, perSecond }: LoadOptions) {
    this.#random = random
    this.#client = new LoopbackClient({ baseUrl: url, connectionsMax: CLIENTS })
    // Whatever could not be sent in time is made up for, so that the events become as many.
    this.#pacer = new Pacer({ perSecond, startMs: performance.now(), backlogMax: 0 })
    this.#clients = Array.from({ length: CLIENTS }, () => this.#run())
  }

  get acknowledged (): number {
    return this.tags.acknowledged.size + this.views.acknowledged.size
  }

  /** Resolves when every request has its answer, or was given up. */
  async stop (): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
    this.#client.close()
  }

  async #run (): Promise<void> {
    while (!this.#stopped) {
      this.#budget += this.#pacer.take(performance.now(), Number.MAX_SAFE_INTEGER)
      if (this.#budget <= 0) {
        await delay(IDLE_MS)
        continue
      }
      const parcel = this.#nextParcel()
      this.#budget -= parcel.numbers.length
      if (this.#happens(HANG_UP_PERCENT)) await this.#hangUp(parcel)
      else await this.#deliver(parcel)
    }
  }

  async #deliver (parcel: Parcel): Promise<void> {
    const attemptsMax = this.#happens(IMPATIENT_PERCENT) ? 1 + this.#random.below(2) : ATTEMPTS_MAX
    for (let attempt = 1; !await this.#send(parcel); attempt++) {
      if (attempt === attemptsMax) {
        this.counts.givenUp += 1
        return
      }
      this.counts.retries += 1
      const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** (attempt - 1))
      await delay(pauseMs / 2 + this.#random.below(pauseMs / 2))
    }
    if (this.#happens(AGAIN_PERCENT)) await this.#repeat(parcel)
  }

  async #hangUp (parcel: Parcel): Promise<void> {
    this.counts.hungUp += 1
    await this.#send(parcel, AbortSignal.timeout(this.#random.below(HANG_UP_MS_MAX)))
  }

  async #repeat (parcel: Parcel): Promise<void> {
    await delay(this.#random.below(PAUSE_MS_MAX))
    this.counts.repeats += 1
    await this.#send(parcel)
  }

  async #send ({ events, numbers, path, body, headers }: Parcel, signal?: AbortSignal): Promise<boolean> {
    this.counts.requests += 1
    for (const n of numbers) events.sent.add(n)
    const answer = await this.#client.post(path, body, headers, signal).catch(() => undefined)
    const status = answer?.status
    if (status !== 200 && status !== 204) return false
    for (const n of numbers) events.acknowledged.add(n)
    return true
  }

  #nextParcel (): Parcel {
    const views = this.#happens(VIEWS_PERCENT)
    const events = views ? this.views : this.tags
    const [single, many] = views ? ['/page', '/events/page_views'] : ['/user_tags', '/events/user_tags']
    if (this.#happens(SINGLE_PERCENT)) return this.#single(events, single as string)
    const numbers = events.take(1 + this.#random.below(BATCH_MAX))
    const body = JSON.stringify(numbers.map((n) => views ? viewOf(n) : tagOf(n)))
    return { events, numbers, path: many as string, body, headers: {} }
  }

  /** One event alone, named by its body or by a header. */
  #single (events: SentEvents, path: string): Parcel {
    const numbers = events.take(1)
    const n = numbers[0] as number
    const { event_id: id, ...event } = events === this.views ? viewOf(n) : tagOf(n)
    return this.#happens(50)
      ? { events, numbers, path, body: JSON.stringify(event), headers: { 'idempotency-key': id } }
      : { events, numbers, path, body: JSON.stringify({ ...event, event_id: id }), headers: {} }
  }

  #happens (percent: number): boolean {
    return this.#random.below(100) < percent
  }
}
