import { expect, it } from 'vitest'
import { parseVisitsRequest } from '../../query-api/parse-visits-request.ts'
import { VISITS_COUNTS_MAX } from '../../query-api/queries/visits.ts'
import { visitsReader } from '../../query-api/readers.ts'
import type { Query } from '../../query-api/query-client.ts'

const LIMITS = {
  batchSizeMax: 64, batchBytesMax: 1, queueMax: 10, inFlightMax: 1, startIntervalMs: 0, timeoutMs: 10_000
}
const T0 = Date.UTC(2024, 2, 1)
const MONTH_MS = 30 * 86_400_000

/** A database that answers its first query when it is told to, and others at once with nothing. */
function start () {
  const queries: Query[] = []
  const first = Promise.withResolvers<[]>()
  const clock = { nowMs: T0 }
  const query = (asked: Query) => {
    queries.push(asked)
    return queries.length === 1 ? first.promise : Promise.resolve([])
  }
  const now = () => clock.nowMs
  const reader = visitsReader({ client: { query }, limits: LIMITS, onBatch: () => {}, now })
  const read = (search: Record<string, string>, tenant = 'acme') => {
    return reader.read({ tenant, request: parseVisitsRequest(search, clock.nowMs) })
  }
  return { queries, answerFirst: () => first.resolve([]), clock, reader, read }
}

it('those who wait for a window that ends now have one answer, of a window that ends when it is read', async () => {
  const { queries, answerFirst, clock, reader, read } = start()
  const reads = [read({})]
  for (const search of [{}, {}, { dateFrom: '2024-02-29' }, { dateTo: '2024-02-29' }, { dateFrom: '2024-02-29' }]) {
    clock.nowMs += 1
    reads.push(read(search))
  }
  clock.nowMs = T0 + 100
  answerFirst()
  expect(await Promise.all(reads)).toEqual(reads.map(() => '{"data":{}}'))
  expect(queries).toHaveLength(2)
  const [first, second] = queries.map(({ params }) => Object.values(params).filter(Number.isInteger))
  expect(first).toEqual(expect.arrayContaining([T0 - MONTH_MS, T0 + 1]))
  expect(second).toEqual(expect.arrayContaining([T0 - MONTH_MS + 100, Date.UTC(2024, 1, 29), T0, T0 + 101]))
  expect(second).not.toEqual(expect.arrayContaining([T0 + 1]))
  reader.close()
})

it('a window that was too much only beside another is asked for alone', async () => {
  const hours = Array.from({ length: VISITS_COUNTS_MAX + 1 }, (_, hour) => [hour * 3_600, 1])
  const asked: string[] = []
  const query = async ({ sql }: Query) => {
    asked.push(sql.includes('toStartOfHour') ? 'hour' : 'day')
    return [{ segment: 0, pageUrl: '/', buckets: asked.at(-1) === 'hour' ? hours : [[0, 24]] }]
  }
  // The first one begins the interval; the next two fill a batch, and so do not wait for its end.
  const limits = { ...LIMITS, batchSizeMax: 2, startIntervalMs: 60_000 }
  const reader = visitsReader({ client: { query }, limits, onBatch: () => {}, now: () => T0 })
  const read = (aggregation: string, dateFrom = '2024-02-01') => reader.read({
    tenant: 'acme', request: parseVisitsRequest({ aggregation, dateFrom, dateTo: '2024-02-29' }, T0)
  })
  await read('day', '2024-01-01')
  const [byDay, byHour] = await Promise.allSettled([read('day'), read('hour')])
  expect(byDay).toMatchObject({ value: expect.stringContaining('"visit_count":24') })
  expect(byHour).toMatchObject({ value: { code: 'invalid_time_range' } })
  expect(asked).toEqual(['day', 'hour', 'day', 'hour'])
  reader.close()
})

it('windows of another tenant, of distinct visitors, or beyond four are in a query of their own', async () => {
  const { queries, answerFirst, reader, read } = start()
  const reads = [
    read({}), read({ unique: 'true' }), read({}), read({}, 'rival'), read({ aggregation: 'hour', unique: 'true' }),
    ...['01', '02', '03', '04'].map((day) => read({ dateFrom: `2024-02-${day}` }))
  ]
  answerFirst()
  await Promise.all(reads)
  const segments = queries.map(({ name, sql, params }) => {
    return [name, params['tenant'], sql.slice(0, sql.indexOf(' AS segment,')).split('(start >= ').length]
  })
  expect(segments).toEqual([
    ['visits', 'acme', 1], ['visits_unique', 'acme', 1], ['visits', 'acme', 4], ['visits', 'rival', 1],
    ['visits_unique', 'acme', 1], ['visits', 'acme', 1]
  ])
  reader.close()
})
