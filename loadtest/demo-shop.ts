import { setTimeout as delay } from 'node:timers/promises'
import { Pacer } from './pacer.ts'
import { createRetailer } from './retailer.ts'
import type { LoopbackClient } from './loopback-client.ts'

/** Requests under way; a system that falls behind by more gets fewer events, and the demo says so. */
const UNDER_WAY_MAX = 256
/** Events that may be sent late, all together. */
const BACKLOG_MAX = 256
const TICK_MS = 4
/** The busiest shopper is among the first thousands in any case. */
const SHOPPERS_WATCHED_MAX = 10_000

/** The retailer, open for business: posts events at a rate, and counts how they are answered. */
export class DemoShop {
  readonly #client: LoopbackClient
  readonly #options: { perSecond: number, seed: number }
  #latenciesMs: number[] = []
  #skipped = 0
  accepted = 0
  refused = 0
  /** Events accepted by shopper, for the first shoppers that came. */
  readonly #activity = new Map<string, number>()
  /** Shopper with the most accepted events so far. */
  activeCookie = ''

  constructor ({ client, ...options }: { client: LoopbackClient, perSecond: number, seed: number }) {
    this.#client = client
    this.#options = options
  }

  get skipped (): number {
    return this.#skipped
  }

  /** Latencies in milliseconds of what was accepted since the last call. */
  takeLatencies (): number[] {
    const latenciesMs = this.#latenciesMs
    this.#latenciesMs = []
    return latenciesMs
  }

  /** Posts until the signal aborts; resolves when every request is answered. */
  async run (signal: AbortSignal): Promise<void> {
    const { perSecond, seed } = this.#options
    const retailer = createRetailer(seed)
    const pacer = new Pacer({ perSecond, startMs: performance.now(), backlogMax: BACKLOG_MAX })
    const underWay = new Set<Promise<void>>()
    while (!signal.aborted) {
      for (let due = pacer.take(performance.now(), UNDER_WAY_MAX - underWay.size); due > 0; due -= 1) {
        const event = retailer.next(Date.now())
        const sent: Promise<void> = this.#post(JSON.stringify(event), event.cookie)
          .finally(() => underWay.delete(sent))
        underWay.add(sent)
      }
      this.#skipped = pacer.skipped
      await delay(TICK_MS)
    }
    await Promise.all(underWay)
  }

  /** Counts a request by its answer; never rejects. */
  async #post (body: string, cookie: string): Promise<void> {
    const startMs = performance.now()
    const { status } = await this.#client.post('/user_tags', body).catch(() => ({ status: 0 }))
    if (status !== 204) {
      this.refused += 1
      return
    }
    this.accepted += 1
    this.#countActivity(cookie)
    this.#latenciesMs.push(performance.now() - startMs)
  }

  #countActivity (cookie: string): void {
    const known = this.#activity.get(cookie) ?? 0
    if (known === 0 && this.#activity.size >= SHOPPERS_WATCHED_MAX) return
    this.#activity.set(cookie, known + 1)
    if (known + 1 > (this.#activity.get(this.activeCookie) ?? 0)) this.activeCookie = cookie
  }
}
