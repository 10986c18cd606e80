/** Somebody who asks for profiles all the time: no answer may show an event twice. */
import { setTimeout as delay } from 'node:timers/promises'
import { LoopbackClient } from '../loopback-client.ts'
import { tagOf } from './numbered-events.ts'
import type { Answer } from '../loopback-client.ts'
import type { SeededRandom } from '../../tests/support/seeded-random.ts'

const PAUSE_MS = 100
/** For an answer at the end of the run. */
const ANSWER_MS_MAX = 90_000
/** Back and ahead: further than any clock was moved. */
const LEDGER_MS = 2 * 86_400_000
const RANGE = 'time_range=2022-03-22T00:00:00_2022-03-23T00:00:00&limit=200'

interface Profile {
  views: Array<{ product_info: { product_id: number } }>
  buys: Array<{ product_info: { product_id: number } }>
}

export class Reader {
  answered = 0
  failed = 0
  /** Answers that show an event twice. */
  readonly wrong: string[] = []
  readonly #client: LoopbackClient
  readonly #random: SeededRandom
  readonly #reading: Promise<void>
  #stopped = false

  constructor ({ url, random }: { url: string, random: SeededRandom }) {
    this.#client = new LoopbackClient({ baseUrl: url, connectionsMax: 4 })
    this.#random = random
    this.#reading = this.#run()
  }

  /** All events of user_tags, as the query-api counts them. */
  async countOfTags (): Promise<number> {
    const question = JSON.stringify({
      stream: 'user_tags',
      measures: [{ fn: 'count' }],
      time: { from: '2022-03-22T00:00:00Z', to: '2022-03-23T00:00:00Z' }
    })
    const body = await askUntilAnswered(() => this.#client.post('/query', question))
    const { rows } = JSON.parse(body) as { rows: number[][] }
    return rows[0]?.[0] ?? 0
  }

  /** Where the pipeline's own books do not balance, its own recount of the tables included. */
  async ledgerFaults (): Promise<unknown[]> {
    const [from, to] = [-LEDGER_MS, LEDGER_MS].map((ms) => new Date(Date.now() + ms).toISOString())
    const path = `/ledger?from=${from}&to=${to}&recount=true`
    const body = await askUntilAnswered(() => this.#client.get(path))
    const { balanced, faults } = JSON.parse(body) as { balanced: boolean, faults: unknown[] }
    return balanced ? [] : faults.map((fault) => JSON.stringify(fault))
  }

  async stop (): Promise<void> {
    this.#stopped = true
    await this.#reading
  }

  close (): void {
    this.#client.close()
  }

  async #run (): Promise<void> {
    while (!this.#stopped) {
      const { cookie } = tagOf(this.#random.below(5_000))
      const answer = await this.#client.post(`/user_profiles/${cookie}?${RANGE}`).catch(() => undefined)
      if (answer?.status === 200) this.#look(cookie, JSON.parse(answer.body) as Profile)
      else this.failed += 1
      await delay(PAUSE_MS)
    }
  }

  #look (cookie: string, { views, buys }: Profile): void {
    this.answered += 1
    const products = [...views, ...buys].map(({ product_info: product }) => product.product_id)
    if (new Set(products).size !== products.length) this.wrong.push(`${cookie}: ${products.join(' ')}`)
  }
}

/** A busy machine may answer 503, or late: then the question is asked again. Rejects past the deadline. */
async function askUntilAnswered (ask: () => Promise<Answer>): Promise<string> {
  const end = performance.now() + ANSWER_MS_MAX
  while (true) {
    const answer = await ask().catch((error: unknown) => ({ status: 0, body: String(error) }))
    if (answer.status === 200) return answer.body
    if (performance.now() > end) throw new Error(`query-api answered ${answer.status}: ${answer.body}`)
    await delay(PAUSE_MS)
  }
}
