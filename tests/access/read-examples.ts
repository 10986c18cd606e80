/**
 * For every route that reads: requests whose answers hold stored data. A new route adds its own here; the
 * isolation test fails until it does.
 */
import type { InjectOptions } from 'fastify'

/** Sends a request with the key of the tenant in question; the body of its answer. */
export type Ask = (options: InjectOptions) => Promise<any>

export interface ReadExample {
  /** What of the answer depends on the stored data alone, and not on the moment or on caches. */
  read: (ask: Ask) => Promise<unknown>
  /** The answer is the same for everybody, by its nature. */
  shared?: true
}

/** When every stored event happened. */
export const EVENT_TIME = '2026-03-04T05:06:07.000Z'
export const SUBJECT = 'subject-1'
export const APP = 'app-1'
const WINDOW = 'from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z'
const TAG_WINDOW = 'time_range=2026-03-04T05:06:00_2026-03-04T05:10:00'

const get = (url: string): ReadExample => ({ read: (ask) => ask({ method: 'GET', url }) })
const post = (url: string): ReadExample => ({ read: (ask) => ask({ method: 'POST', url }) })

function question (stream: string, groupBy: string) {
  return {
    stream,
    measures: [{ fn: 'count' }],
    group_by: [groupBy],
    time: { from: '2026-03-04T00:00:00Z', to: '2026-03-05T00:00:00Z' }
  }
}

/** Rollup, where there is one, and raw: a subject is in no rollup. */
const QUESTIONS = [
  question('user_tags', 'brand_id'), question('user_tags', 'cookie'), question('page_views', 'name'),
  question('page_views', 'user_id'), question('interactions', 'type'), question('interactions', 'device_id'),
  question('analytics', 'event'), question('analytics', 'user'), question('visits', 'pageUrl'),
  question('visits', 'identifier')
]

/**
 * Routes whose answers are about erasures and not about stored events, and those that erase; whose erasures
 * one sees and what they erase is held to tests in tests/erasure/.
 */
export const ERASURE_ROUTES: readonly string[] = [
  'POST /erasures', 'DELETE /user/:user_id', 'GET /erasures', 'GET /erasures/:id'
]

async function letterIds (ask: Ask): Promise<string[]> {
  const { dead_letters: letters } = await ask({ method: 'GET', url: '/dead-letters' })
  return letters.map(({ id }: { id: string }) => id)
}

export const READ_EXAMPLES: Readonly<Record<string, readonly ReadExample[]>> = {
  'POST /user_profiles/:cookie': [post(`/user_profiles/${SUBJECT}?${TAG_WINDOW}`)],
  'POST /aggregates': [
    post(`/aggregates?${TAG_WINDOW}&action=VIEW&aggregates=COUNT&aggregates=SUM_PRICE`),
    post(`/aggregates?${TAG_WINDOW}&action=VIEW&aggregates=COUNT&brand_id=brand&origin=origin`)
  ],
  'GET /user/:user_id': [get(`/user/${SUBJECT}?as_of=2026-03-05T00:00:00Z`)],
  'GET /apps/:app/stages': [get(`/apps/${APP}/stages?${WINDOW}`)],
  'GET /apps/:app/stages/time': [get(`/apps/${APP}/stages/time?${WINDOW}`)],
  'GET /apps/:app/elements': [get(`/apps/${APP}/elements?${WINDOW}`)],
  'GET /apps/:app/conversion': [get(`/apps/${APP}/conversion?${WINDOW}`)],
  'GET /apps/:app/devices': [get(`/apps/${APP}/devices?${WINDOW}`)],
  'GET /apps/:app/browsers': [get(`/apps/${APP}/browsers?${WINDOW}`)],
  'GET /apps/:app/pages': [get(`/apps/${APP}/pages?${WINDOW}`)],
  'GET /apps/:app/journey': [
    get(`/apps/${APP}/journey?${WINDOW}&kind=stage`), get(`/apps/${APP}/journey?${WINDOW}&kind=url`)
  ],
  'GET /analytics': [get(`/analytics?timestamp=${Date.parse(EVENT_TIME) / 1000 + 60}`)],
  'GET /visits': [
    get('/visits?aggregation=hour&dateFrom=2026-03-04T00:00:00Z&dateTo=2026-03-04T23:00:00Z'),
    get('/visits?aggregation=hour&dateFrom=2026-03-04T00:00:00Z&dateTo=2026-03-04T23:00:00Z&unique=true')
  ],
  'POST /query': QUESTIONS.map((payload) => ({
    read: async (ask) => (await ask({ method: 'POST', url: '/query', payload })).rows
  })),
  'GET /query/:id': QUESTIONS.map((payload) => ({
    read: async (ask) => {
      const { url } = await ask({ method: 'POST', url: '/queries', payload })
      return (await ask({ method: 'GET', url })).rows
    }
  })),
  'POST /queries': [{
    shared: true, read: (ask) => ask({ method: 'POST', url: '/queries', payload: QUESTIONS[0] ?? {} })
  }],
  'GET /streams': [{ ...get('/streams'), shared: true }],
  'GET /dead-letters': [get('/dead-letters')],
  'GET /dead-letters/:id': [{
    read: async (ask) => await Promise.all((await letterIds(ask)).map((id) => ask({ method: 'GET', url: `/dead-letters/${id}` })))
  }],
  'POST /dead-letters/:id/retry': [{
    read: async (ask) => await Promise.all((await letterIds(ask)).map((id) => {
      return ask({ method: 'POST', url: `/dead-letters/${id}/retry?dry_run=true` })
    }))
  }],
  'POST /dead-letters/retry': [post('/dead-letters/retry?dry_run=true')],
  // Numbers of records of the whole installation.
  'GET /ledger': [{
    shared: true, read: async (ask) => (await ask({ method: 'GET', url: '/ledger' })).totals
  }],
  'GET /keys': [{
    read: async (ask) => (await ask({ method: 'GET', url: '/keys' })).keys.map(({ id }: { id: string }) => id)
  }]
}
