/**
 * Thousands of random events of each system, of two organisations, out of order, over the edges of months and
 * summer time; every answer about them is held to a plain model in memory. SEED=n repeats a run.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KeyedSystem } from '../support/keyed-system.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { analyticsOf } from '../query-api/analytics-model.ts'
import { compareKeys, evaluate, localBuckets } from '../query-api/questions/model.ts'
import { instant, minute, range } from './user-tag-events.ts'
import { modelTag } from '../query-api/questions/question-server.ts'
import { pagesOf, visitsOf } from '../query-api/visits-model.ts'
import { randomQuestion } from '../query-api/questions/random-question.ts'
import { reportsOf } from '../query-api/reports-model.ts'
import { showLogOfFailures } from '../support/millrace.ts'
import { userStatisticsOf } from '../query-api/user-statistics-model.ts'
import { UserTagsModel } from './user-tags-model.ts'
import {
  APPS, BRANDS, ORIGINS, USERS, onTheWire, randomAnalyticsEvent, randomInteraction, randomPageView,
  randomUserTag, randomVisit, timeNearEdge, timeText
} from './random-events.ts'
import type { AnalyticsEvent, Interaction, PageView, UserTag, Visit } from '../../contract/index.ts'
import type { Cell } from '../../query-api/questions/answer.ts'
import type { ModelEvent } from '../query-api/questions/model.ts'
import type { QuestionSpace } from '../query-api/questions/random-question.ts'
import type { Tag } from './user-tag-events.ts'
import type { Tenant } from '../support/keyed-system.ts'

const EVENTS = 3_000
const BATCH_EVENTS = 250
const QUESTIONS = 80
const CONCURRENCY = 8
const MINUTE_MS = 60_000
const SPACE = {
  fromMs: Date.UTC(2023, 11, 27),
  toMs: Date.UTC(2024, 10, 2),
  measures: [{ fn: 'count' }],
  zones: ['UTC', 'Europe/Warsaw', 'Australia/Lord_Howe'],
  buckets: ['1h', '2h', '6h', '1d', '1w', '1mo']
} as const

const random = SeededRandom.fromEnv('the systems against their models')
let system: KeyedSystem
let tenants: Tenant[]
/** Events of each tenant, as the log has them. */
const pageViews = new Map<Tenant, PageView[]>()
const interactions = new Map<Tenant, Interaction[]>()
const analytics = new Map<Tenant, AnalyticsEvent[]>()
const visits = new Map<Tenant, Visit[]>()
const userTags = new Map<Tenant, Tag[]>()

showLogOfFailures(() => system?.millrace)
beforeAll(async () => {
  system = await KeyedSystem.start('embedded')
  tenants = [system.newTenant(), system.newTenant()]
  await sendAll(pageViews, 'page_views', 'timestamp', randomPageView)
  await sendAll(interactions, 'interactions', 'timestamp', randomInteraction)
  await sendAll(analytics, 'analytics', 'timestamp', randomAnalyticsEvent)
  await sendAll(visits, 'visits', 'visitedAt', randomVisit)
  await sendAll(userTags, 'user_tags', undefined, randomUserTag)
  await system.stored()
})
afterAll(async () => { await system?.stop() })

/**
 * In batches of one tenant each, one after the other, so that the model knows the order of the log. The field
 * `time` is sent in any form; without one, times are sent as they are.
 */
async function sendAll<E extends object> (
  sent: Map<Tenant, E[]>,
  stream: string,
  time: (keyof E & string) | undefined,
  randomEvent: (random: SeededRandom) => E
): Promise<void> {
  for (let count = 0; count < EVENTS; count += BATCH_EVENTS) {
    const tenant = random.pick(tenants)
    const events = Array.from({ length: BATCH_EVENTS }, () => randomEvent(random))
    sent.set(tenant, [...sent.get(tenant) ?? [], ...events])
    if (stream === 'interactions' && random.below(2) === 0) {
      await sendByApp(tenant, events as unknown as Interaction[])
    } else {
      await tenant.accepts(`/events/${stream}`, events.map((event) => {
        if (time === undefined) return event
        return { ...event, [time]: timeText(random, Date.parse(event[time] as string)) }
      }))
    }
  }
}

async function sendByApp (tenant: Tenant, events: readonly Interaction[]): Promise<void> {
  for (const [app, own] of Map.groupBy(events, (event) => event.app)) {
    await tenant.accepts(`/interactions/${encodeURIComponent(app)}`, own.map(onTheWire))
  }
}

async function forQuestions (count: number, ask: (tenant: Tenant) => () => Promise<void>): Promise<void> {
  // What is asked is drawn before anything is awaited, so that a seed repeats it.
  const questions = Array.from({ length: count }, () => ask(random.pick(tenants))).values()
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    for (const question of questions) await question()
  }))
}

function randomWindow (): { fromMs: number, toMs: number } {
  const [a, b] = [timeNearEdge(random), timeNearEdge(random)]
  return { fromMs: Math.min(a, b), toMs: Math.max(a, b) }
}

const text = (ms: number) => encodeURIComponent(timeText(random, ms))

test('page_views: the statistics of any user, at any time, over any number of days', async () => {
  await forQuestions(QUESTIONS, (tenant) => {
    const [user, days, asOfMs] = [random.pick(USERS), random.pick([1, 2, 7, 30, 90]), timeNearEdge(random)]
    const path = `/user/${encodeURIComponent(user)}?days=${days}&as_of=${text(asOfMs)}`
    return async () => {
      const expected = userStatisticsOf(pageViews.get(tenant) ?? [], user, asOfMs, days)
      expect([path, await tenant.json(path)]).toEqual([path, expected])
    }
  })
})

test('interactions: every report on each app, over any window', async () => {
  await forQuestions(QUESTIONS / 10, (tenant) => {
    const [app, { fromMs, toMs }] = [random.pick(APPS), randomWindow()]
    const window = `from=${text(fromMs)}&to=${text(toMs)}`
    return async () => {
      const own = (interactions.get(tenant) ?? []).filter((event) => event.app === app)
      for (const [report, expected] of Object.entries(reportsOf(own, fromMs, toMs))) {
        const path = `/apps/${encodeURIComponent(app)}/${report}${report.includes('?') ? '&' : '?'}${window}`
        expect([path, await tenant.json(path)]).toEqual([path, expected])
      }
    }
  })
})

test('analytics: the hour before any time', async () => {
  await forQuestions(QUESTIONS, (tenant) => {
    const atMs = timeNearEdge(random)
    return async () => {
      const answer = await tenant.get(`/analytics?timestamp=${atMs}`, { accept: 'application/json' })
      expect([atMs, JSON.parse(answer.text)]).toEqual([atMs, analyticsOf(analytics.get(tenant) ?? [], atMs)])
    }
  })
})

test('visits: by any bucket, over any window, of visits or of visitors', async () => {
  await forQuestions(QUESTIONS, (tenant) => {
    const aggregation = random.pick(['minute', 'hour', 'day', 'month'])
    const { fromMs, toMs } = randomWindow()
    // A window by minute may hold 10,000 of them.
    const leastMs = aggregation === 'minute' ? toMs - 9_000 * MINUTE_MS : 0
    const question = { aggregation, fromMs: Math.max(fromMs, leastMs), toMs, unique: random.below(2) === 0 }
    const path = `/visits?aggregation=${aggregation}&unique=${question.unique}` +
      `&dateFrom=${text(question.fromMs)}&dateTo=${text(toMs)}`
    return async () => {
      const { data } = await tenant.json(path)
      expect([path, pagesOf(data)]).toEqual([path, visitsOf(visits.get(tenant) ?? [], question)])
    }
  })
})

/** POST without a body, as the contract allows. */
async function posted (tenant: Tenant, path: string): Promise<any> {
  const { status, text: body } = await tenant.send({ method: 'POST', path })
  expect([path, status]).toEqual([path, 200])
  return JSON.parse(body)
}

test('user_tags: the profile of any shopper, in any range and with any limit', async () => {
  const models = new Map(tenants.map((tenant) => [tenant, new UserTagsModel(userTags.get(tenant) ?? [])]))
  let found = 0
  await forQuestions(QUESTIONS, (tenant) => {
    const [cookie, { fromMs, toMs }, limit] = [random.pick(USERS), randomWindow(), random.pick([1, 7, 200])]
    const path = `/user_profiles/${encodeURIComponent(cookie)}?${range(instant(fromMs), instant(toMs))}&limit=${limit}`
    return async () => {
      const { views, buys } = await posted(tenant, path)
      for (const [action, list] of [['VIEW', views], ['BUY', buys]] as const) {
        const fault = models.get(tenant)?.faultOfList({ cookie, action, fromMs, toMs, limit }, list)
        expect([path, action, fault]).toEqual([path, action, undefined])
        found += list.length
      }
    }
  })
  expect(found).toBeGreaterThan(QUESTIONS)
})

test('user_tags: the aggregates of any minutes', async () => {
  const models = new Map(tenants.map((tenant) => [tenant, new UserTagsModel(userTags.get(tenant) ?? [])]))
  await forQuestions(QUESTIONS, (tenant) => {
    const fromMs = Math.floor(timeNearEdge(random) / MINUTE_MS) * MINUTE_MS
    const question = {
      fromMs,
      minutes: random.below(11),
      action: random.pick(['VIEW', 'BUY']),
      aggregates: random.pick([['COUNT', 'SUM_PRICE'], ['SUM_PRICE']]),
      filters: random.pick([{}, { origin: random.pick(ORIGINS) }, { brand_id: random.pick(BRANDS) },
        { origin: random.pick(ORIGINS), brand_id: random.pick(BRANDS) }])
    }
    const parameters = new URLSearchParams({ action: question.action, ...question.filters })
    for (const name of question.aggregates) parameters.append('aggregates', name)
    const minutes = range(minute(fromMs), minute(fromMs + question.minutes * MINUTE_MS))
    const path = `/aggregates?${minutes}&${String(parameters)}`
    return async () => {
      expect([path, await posted(tenant, path)]).toEqual([path, models.get(tenant)?.aggregates(question)])
    }
  })
})

interface AskedStream extends Pick<QuestionSpace, 'stream' | 'groups' | 'conditions' | 'measures'> {
  eventsOf: (tenant: Tenant) => readonly ModelEvent[]
}

/** The fields of an event as questions know them: identifiers that came as numbers are texts. */
function modelEvents (events: readonly object[] | undefined, time: string): ModelEvent[] {
  return (events ?? []).map((event) => {
    const fields = Object.entries(event).map(([name, value]) => {
      return [name, typeof value === 'number' && name !== 'elapsed_time' ? String(value) : value]
    })
    const ms = Date.parse((event as Record<string, string>)[time] as string)
    return { ms, fields: Object.fromEntries(fields) }
  })
}

const ASKED: AskedStream[] = [{
  stream: 'page_views',
  groups: ['user_id', 'name'],
  measures: [{ fn: 'count' }, { fn: 'uniq', field: 'user_id' }],
  conditions: [{ field: 'user_id', ops: ['=', '!=', 'in', 'starts_with', '<'], values: USERS }],
  eventsOf: (tenant) => modelEvents(pageViews.get(tenant), 'timestamp')
}, {
  stream: 'interactions',
  groups: ['app', 'type', 'entered', 'device'],
  measures: [{ fn: 'count' }, { fn: 'sum', field: 'elapsed_time' }, { fn: 'max', field: 'elapsed_time' }, { fn: 'uniq', field: 'device_id' }],
  conditions: [{ field: 'type', ops: ['=', '!=', 'in'], values: ['click', 'funnel_change', 'btn_time'] },
    { field: 'elapsed_time', ops: ['<', '>='], values: [10, 50.25] }],
  eventsOf: (tenant) => modelEvents(interactions.get(tenant), 'timestamp')
}, {
  stream: 'analytics',
  groups: ['event'],
  measures: [{ fn: 'count' }, { fn: 'uniq', field: 'user' }],
  conditions: [{ field: 'event', ops: ['=', 'not_in'], values: ['click', 'impression'] }],
  eventsOf: (tenant) => modelEvents(analytics.get(tenant), 'timestamp')
}, {
  stream: 'visits',
  groups: ['pageUrl'],
  measures: [{ fn: 'count' }],
  conditions: [{ field: 'pageUrl', ops: ['=', '!=', 'contains'], values: USERS }],
  eventsOf: (tenant) => modelEvents(visits.get(tenant), 'visitedAt')
}, {
  stream: 'user_tags',
  groups: ['action', 'origin', 'brand_id', 'device', 'product_id'],
  measures: [{ fn: 'count' }, { fn: 'sum', field: 'price' }, { fn: 'max', field: 'price' }, { fn: 'uniq', field: 'cookie' }],
  conditions: [{ field: 'brand_id', ops: ['=', '!=', 'starts_with'], values: BRANDS },
    { field: 'price', ops: ['<', '>='], values: [0, 500] }],
  eventsOf: (tenant) => (userTags.get(tenant) ?? []).map((one) => modelTag(one as UserTag))
}]

describe('any question', () => {
  test.each(ASKED)('about $stream, by local buckets of time in three zones', async ({ eventsOf, ...space }) => {
    const fraction = () => random.below(2 ** 30) / 2 ** 30
    await forQuestions(QUESTIONS / 4, (tenant) => {
      const question = randomQuestion({ ...SPACE, ...space }, fraction)
      const { bucket, timezone = 'UTC' } = question.time
      const local = bucket === undefined ? String : localBuckets(bucket, timezone)
      return async () => {
        const { status, text: body } = await tenant.post('/query', question)
        expect([question, status]).toEqual([question, 200])
        const { rows, columns } = JSON.parse(body) as { rows: Cell[][], columns: Array<{ type: string }> }
        const found = rows.map((row) => row.map((cell, index) => {
          return columns[index]?.type === 'time' ? local(Date.parse(String(cell))) : cell
        }))
        const expected = evaluate(question, eventsOf(tenant))
        expect([question, found.sort(compareKeys)]).toEqual([question, expected.sort(compareKeys)])
      }
    })
  })
})
