/** What the routes of erasure refuse; the class behind them, which commands use too, refuses the same. */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ErasureStore, Erasures, SubjectHasher, registerErasures } from '../../erasure/index.ts'
import { HIDING_MAX } from '../../erasure/erasures.ts'
import { createServer } from '../../http/index.ts'
import type { FastifyInstance } from 'fastify'
import type { ClickHouseClient } from '../../clickhouse/index.ts'

const servers: FastifyInstance[] = []
afterAll(() => Promise.all(servers.map((server) => server.close())))

/** Erasures over a database that knows none, and says that so many are hidden. */
function erasuresOver ({ hiding = 0, hasKey = true }: { hiding?: number, hasKey?: boolean }) {
  const inserts: unknown[] = []
  const client = {
    query: async ({ query }: { query: string }) => {
      return { json: async () => query.startsWith('SELECT count()') ? [{ n: hiding }] : [] }
    },
    insert: async (insert: unknown) => { inserts.push(insert) }
  }
  const erasures = new Erasures({
    store: new ErasureStore(client as unknown as ClickHouseClient),
    hasher: hasKey ? new SubjectHasher('a secret of at least 32 characters') : undefined,
    logRetentionMs: 1_000,
    now: () => 1,
    newId: () => 'id',
    onCreated: () => undefined
  })
  const server = createServer({ log: pino({ level: 'silent' }) })
  registerErasures(server, { erasures })
  servers.push(server)
  return { erasures, server, inserts }
}

const ERASE = [
  { method: 'POST', url: '/erasures', payload: { subject: 'u1' } }, { method: 'DELETE', url: '/user/u1' }
] as const

test.each(ERASE)('without a key that hashes subjects $method $url is answered 501, and nothing is erased', async (request) => {
  const { server, inserts } = erasuresOver({ hasKey: false })
  const answer = await server.inject(request)
  expect([answer.statusCode, answer.json().code]).toEqual([501, 'erasure_not_configured'])
  expect(inserts).toEqual([])
})

test.each(ERASE)('$method $url is refused while as many erasures are pending as reads can hide', async (request) => {
  const { server, inserts } = erasuresOver({ hiding: HIDING_MAX })
  const answer = await server.inject(request)
  expect([answer.statusCode, answer.json().code]).toEqual([503, 'overloaded'])
  expect(answer.headers['retry-after']).toBeDefined()
  expect(inserts).toEqual([])
  const last = erasuresOver({ hiding: HIDING_MAX - 1 })
  expect((await last.server.inject(request)).statusCode).toBe(202)
  expect(last.inserts).toHaveLength(1)
})

test('a receipt that there is not is answered 404', async () => {
  const answer = await erasuresOver({}).server.inject({ method: 'GET', url: '/erasures/none' })
  expect([answer.statusCode, answer.json().code]).toEqual([404, 'erasure_not_found'])
})

describe('a request that no stream could meet', () => {
  let open: ReturnType<typeof erasuresOver>
  beforeAll(() => { open = erasuresOver({}) })

  test.each([
    ['a stream that there is not', { subject: 'u1', streams: ['page_viewz'] }, 'unknown_value'],
    ['a stream twice', { subject: 'u1', streams: ['visits', 'visits'] }, 'invalid_parameter'],
    ['no stream at all', { subject: 'u1', streams: [] }, 'invalid_parameter'],
    ['an empty subject', { subject: '' }, 'invalid_text'],
    ['a subject that is too long', { subject: 'u'.repeat(1025) }, 'invalid_text'],
    ['a subject that cannot be stored', { subject: 'u\0' }, 'invalid_text']
  ])('is refused by the route and by the class alike: %s', async (_what, payload, code) => {
    const answer = await open.server.inject({ method: 'POST', url: '/erasures', payload })
    expect([answer.statusCode, answer.json().code]).toEqual([400, code])
    await expect(open.erasures.create({ tenant: 'default', ...payload })).rejects.toMatchObject({ code })
    expect(open.inserts).toEqual([])
  })
})
