/** 20,000 random events, and the answers about them, held to a model of the contract. SEED=n repeats it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { PlaceLog } from '../support/place-log.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { instant, minute, range, tag } from './user-tag-events.ts'
import { UserTagsModel } from './user-tags-model.ts'
import type { Millrace } from '../support/millrace.ts'
import type { Tag } from './user-tag-events.ts'
import type { AggregatesQuestion } from './user-tags-model.ts'

type Filters = AggregatesQuestion['filters']

const EVENTS = 20_000
const RANGES_PER_COOKIE = 60
const AGGREGATES_PER_COMBINATION = 2
const CONCURRENCY = 24
const DEADLINE_MS = 240_000

const START_MS = Date.UTC(2022, 2, 22, 11, 55)
const MINUTE_MS = 60_000
const MINUTES = 25
/** Few enough that many events share one, many enough that minutes and limits cut among them. */
const INSTANTS = 1500

const COOKIES = [
  '9WkYGxkiXBfpMIjBGURC', '_', 'a_b', 'a', 'null', 'None', 'ä/%26', 'a|b', 'a:b', "'", '\\', '🛒', 'A', 'a b'
]
const ORIGINS = ['CAMPAIGN_321', 'a_b', 'a', 'null', "' OR 1=1 --"]
const BRANDS = ['c', 'b_c', 'None', 'ä/%26', 'Ebros_Gift']
const CATEGORIES = ['Trousers', '_', 'x&y=z', '\u0001', '%']

/** A time in one of the forms that clients write, the same instant in each. */
function timeText (random: SeededRandom, ms: number): string {
  const text = instant(ms)
  if (ms % 1000 === 0 && random.below(2) === 0) return `${text.slice(0, 19)}Z`
  if (ms % 100 === 0 && random.below(2) === 0) return `${text.slice(0, 21)}Z`
  return `${text}Z`
}

function randomTag (random: SeededRandom, instants: readonly number[], index: number): Tag {
  const product = random.pick([index, String(index), `${random.pick(BRANDS)}${index}`, random.below(3), 'same'])
  return tag({
    time: timeText(random, random.pick(instants)),
    cookie: random.pick(COOKIES),
    country: random.pick(['PL', 'CL', 'null', '_']),
    device: random.pick(['PC', 'MOBILE', 'TV']),
    action: random.pick(['VIEW', 'BUY']),
    origin: random.pick(ORIGINS),
    product,
    brand: random.pick(BRANDS),
    category: random.pick(CATEGORIES),
    price: random.pick([0, -1, 28969, 2 ** 31 - 1, -(2 ** 31), random.below(100_000)])
  })
}

function randomTags (random: SeededRandom): Tag[] {
  const instants = Array.from({ length: INSTANTS }, () => {
    const withinMs = random.pick([0, 1000, 59_999, random.below(MINUTE_MS)])
    return START_MS + random.below(MINUTES) * MINUTE_MS + withinMs
  })
  return Array.from({ length: EVENTS }, (_, index) => randomTag(random, instants, index))
}

/** Every subset of the filters, with every value. */
function filterCombinations (): Filters[] {
  const withNone = (values: readonly string[]) => [undefined, ...values]
  return withNone(ORIGINS).flatMap((origin) => withNone(BRANDS).flatMap((brand) => {
    return withNone(CATEGORIES).map((category) => ({
      ...(origin === undefined ? {} : { origin }),
      ...(brand === undefined ? {} : { brand_id: brand }),
      ...(category === undefined ? {} : { category_id: category })
    }))
  }))
}

function aggregatesQuery (question: AggregatesQuestion): string {
  const { fromMs, minutes, action, aggregates, filters } = question
  return [
    range(minute(fromMs), minute(fromMs + minutes * MINUTE_MS)),
    `action=${action}`,
    ...aggregates.map((name) => `aggregates=${name}`),
    ...Object.entries(filters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  ].join('&')
}

/** Runs `check` on every item, some at a time. */
async function forEachOf<T> (items: readonly T[], check: (item: T) => Promise<void>): Promise<void> {
  const remaining = items.values()
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    for (const item of remaining) await check(item)
  }))
}

describeOnEachLog('user_tags against a model', (kind) => {
  const random = SeededRandom.fromEnv(`user_tags against a model, ${kind}`)
  const tags = randomTags(random)
  const model = new UserTagsModel(tags)
  let millrace: Millrace

  beforeAll(async () => {
    millrace = await startMillrace({ kind })
    await millrace.postAll(tags, CONCURRENCY)
    const log = new PlaceLog(millrace.place)
    await log.drained(DEADLINE_MS)
    await log.close()
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => { await millrace?.stop() })

  test('every cookie has the profile of the model, in any range and with any limit', async () => {
    const endMs = START_MS + (MINUTES + 1) * MINUTE_MS
    const questions = Array.from({ length: RANGES_PER_COOKIE }, () => COOKIES).flat().map((cookie) => {
      const fromMs = START_MS + random.below(endMs - START_MS)
      const toMs = fromMs + random.below(endMs - fromMs)
      const whole = random.below(4) === 0
      const limit = random.pick([undefined, 0, 1, 2, 7, 50, 199, 200, random.below(201)])
      return { cookie, limit, ...(whole ? { fromMs: START_MS, toMs: endMs } : { fromMs, toMs }) }
    })
    await forEachOf(questions, async ({ cookie, limit, fromMs, toMs }) => {
      const query = range(instant(fromMs), instant(toMs)) + (limit === undefined ? '' : `&limit=${limit}`)
      const { views, buys } = await millrace.profile(cookie, query)
      for (const [action, list] of [['VIEW', views], ['BUY', buys]] as const) {
        const fault = model.faultOfList({ cookie, action, fromMs, toMs, limit: limit ?? 200 }, list)
        expect({ cookie, query, action, fault }).toEqual({ cookie, query, action, fault: undefined })
      }
    })
  })

  test('every combination of filters has the aggregates of the model, in any range of minutes', async () => {
    const kinds = [['COUNT'], ['SUM_PRICE'], ['COUNT', 'SUM_PRICE'], ['SUM_PRICE', 'COUNT']]
    const questions = filterCombinations().flatMap((filters) => ['VIEW', 'BUY'].flatMap((action) => {
      return Array.from({ length: AGGREGATES_PER_COMBINATION }, () => ({
        fromMs: START_MS + (random.below(MINUTES + 4) - 2) * MINUTE_MS,
        minutes: random.below(11),
        action,
        aggregates: random.pick(kinds),
        filters
      }))
    }))
    await forEachOf(questions, async (question) => {
      const query = aggregatesQuery(question)
      const answer = await millrace.aggregates(query)
      expect({ query, ...answer }).toEqual({ query, ...model.aggregates(question) })
    })
  })
})
