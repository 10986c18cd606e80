import { describe, expect, test } from 'vitest'
import { pageViews, visits } from '../../contract/index.ts'
import { ARRIVAL_MS, buildIngest } from '../support/ingest-server.ts'
import type { RouteOptions } from 'fastify'

const VIEW = { user_id: 'u1', name: '/home', timestamp: '2026-01-02T03:04:05Z' }
const VISIT = { identifier: 'v1', pageUrl: 'https://a.example/?q=1#x', visitedAt: '2023-11-01T00:00:00.000Z' }

function post (url: string, payload: object, headers: Record<string, string> = {}) {
  return { method: 'POST', url, payload, headers } as const
}

describe('a page view', () => {
  test('is answered 204, and stands in the log as it was sent', async () => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post('/page', VIEW))
    expect([response.statusCode, response.body]).toEqual([204, ''])
    expect(await ingest.storedIn(pageViews)).toEqual([{
      ...VIEW, timestamp: Date.parse(VIEW.timestamp), time_text: VIEW.timestamp, event_id: 'id-1', event_id_origin: 'SERVER', tenant: 'default'
    }])
    expect(ingest.log.records()).toMatchObject([{ timestampMs: ARRIVAL_MS, key: Buffer.from('7:defaultu1') }])
  })

  test.each<[string, object, string]>([
    ['without its user', { ...VIEW, user_id: undefined }, 'missing_field'],
    ['without its page', { ...VIEW, name: undefined }, 'missing_field'],
    ['without its time', { ...VIEW, timestamp: undefined }, 'missing_field'],
    ['with a number for a time', { ...VIEW, timestamp: 1 }, 'wrong_type'],
    ['with a time that is none', { ...VIEW, timestamp: '2026-02-30T00:00:00Z' }, 'invalid_time'],
    ['with an empty user', { ...VIEW, user_id: '' }, 'invalid_text'],
    ['with more', { ...VIEW, more: 1 }, 'unknown_field'],
    ['in an array', [VIEW], 'wrong_type']
  ])('%s is refused', async (_name, payload, code) => {
    const ingest = await buildIngest()
    const response = await ingest.server.inject(post('/page', payload))
    expect([response.statusCode, response.json().code]).toEqual([400, code])
    expect(ingest.log.begun()).toBe(0)
  })
})

describe('a visit', () => {
  test('is answered 202 with a message, and belongs to the organisation of its key', async () => {
    const ingest = await buildIngest({}, {}, { tenant: 'acme', scopes: ['ingest'], keyId: 'k' })
    const response = await ingest.server.inject(post('/visits', VISIT, { 'idempotency-key': 'i' }))
    expect([response.statusCode, response.json()]).toEqual([202, { message: 'Visit logged' }])
    expect(await ingest.storedIn(visits)).toEqual([{
      ...VISIT, visitedAt: Date.parse(VISIT.visitedAt), time_text: null, event_id: 'i', event_id_origin: 'HEADER', tenant: 'acme'
    }])
  })

  test.each(Object.keys(VISIT))('without %s is missing a field', async (name) => {
    const { server } = await buildIngest()
    const response = await server.inject(post('/visits', { ...VISIT, [name]: undefined }))
    expect([response.statusCode, response.json().code]).toEqual([400, 'missing_field'])
  })
})

test('every route asks for the scope ingest, and visits by either door for a key whatever the mode', async () => {
  const routes: RouteOptions[] = []
  await buildIngest({}, {}, undefined, (route) => { routes.push(route) })
  const posts = routes.filter((route) => route.method === 'POST')
  const withKey = posts.filter((route) => route.config?.access?.keyRequired === true)
  expect(posts.map((route) => route.config?.access?.scope)).toEqual(posts.map(() => 'ingest'))
  expect(posts.map((route) => route.url).sort()).toEqual([
    '/analytics', '/events/analytics', '/events/interactions', '/events/page_views', '/events/user_tags',
    '/events/visits', '/interactions/:app', '/page', '/user_tags', '/visits'
  ])
  expect(withKey.map((route) => route.url)).toEqual(['/visits', '/events/visits'])
})
