import { expect, it } from 'vitest'
import { parseVisitsRequest } from '../../query-api/parse-visits-request.ts'
import { visitsReader } from '../../query-api/readers.ts'
import type { Query } from '../../query-api/query-client.ts'

const LIMITS = {
  batchSizeMax: 1, batchBytesMax: 1, queueMax: 10, inFlightMax: 1, startIntervalMs: 0, timeoutMs: 10_000
}
const T0 = Date.UTC(2024, 2, 1)

it('those who wait for a window that ends now share one query, which ends when it is read', async () => {
  const queries: Query[] = []
  const first = Promise.withResolvers<[]>()
  let nowMs = T0
  const query = (asked: Query) => {
    queries.push(asked)
    return queries.length === 1 ? first.promise : Promise.resolve([])
  }
  const reader = visitsReader({ client: { query }, limits: LIMITS, onBatch: () => {}, now: () => nowMs })
  const read = (search: Record<string, string>) => {
    return reader.read({ tenant: 'acme', request: parseVisitsRequest(search, nowMs) })
  }
  const reads = [read({ unique: 'true' })]
  for (const search of [{}, {}, { dateFrom: '2024-02-29' }, { dateTo: '2024-02-29' }, { dateFrom: '2024-02-29' }]) {
    nowMs += 1
    reads.push(read(search))
  }
  nowMs = T0 + 100
  first.resolve([])
  await Promise.all(reads)
  expect(queries.map(({ params }) => params['to_ms'])).toEqual([
    T0 + 1, T0 + 101, T0 + 101, Date.UTC(2024, 2, 1)
  ])
  expect(queries[1]?.params['from_ms']).toBe(T0 + 100 - 30 * 86_400_000)
  expect(queries[2]?.params['from_ms']).toBe(Date.UTC(2024, 1, 29))
  reader.close()
})
