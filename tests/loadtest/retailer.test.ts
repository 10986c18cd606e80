import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { CARDINALITIES, createRandom, createRetailer, liveTime, withTime } from '../../loadtest/retailer.ts'
import { FORMATS, userTags } from '../../contract/index.ts'

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

function sample (count: number, seed = 7) {
  const retailer = createRetailer(seed)
  return Array.from({ length: count }, () => retailer.next(NOW_MS))
}

function countsBy (values: readonly string[]): number[] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts.values()].sort((a, b) => b - a)
}

describe('the synthetic retailer', () => {
  it('does the same again from the same seed, and something else from another one', () => {
    expect(sample(50)).toEqual(sample(50))
    expect(sample(50)).not.toEqual(sample(50, 8))
  })

  it('sends events that the stream takes', async () => {
    const server = Fastify({ ajv: { customOptions: { allowUnionTypes: true, formats: FORMATS } } })
    server.post('/', { schema: { body: userTags.eventSchema } }, async () => 'taken')
    for (const event of sample(200)) {
      const { statusCode, body } = await server.inject({ method: 'POST', url: '/', payload: event })
      expect([statusCode, body]).toEqual([200, 'taken'])
    }
    await server.close()
  })

  it('has the cardinalities of a day', () => {
    const events = sample(100_000)
    const distinct = (of: (event: typeof events[number]) => unknown) => new Set(events.map(of)).size
    expect(distinct((event) => event.country)).toBe(CARDINALITIES.countries)
    expect(distinct((event) => event.device)).toBe(CARDINALITIES.devices)
    expect(distinct((event) => event.origin)).toBe(CARDINALITIES.origins)
    expect(distinct((event) => event.product_info.brand_id)).toBe(CARDINALITIES.brands)
    expect(distinct((event) => event.product_info.category_id)).toBe(CARDINALITIES.categories)
  })

  it('has busy shoppers and a long tail of others', () => {
    const cookies = sample(100_000).map((event) => event.cookie)
    const counts = countsBy(cookies)
    const busiest = counts.slice(0, 1_000).reduce((sum, count) => sum + count, 0)
    expect(busiest / cookies.length).toBeGreaterThan(0.08)
    expect(counts[0]).toBeLessThan(cookies.length * 0.02)
    expect(counts.length).toBeGreaterThan(60_000)
    expect(new Set(cookies.map((cookie) => cookie.length))).toEqual(new Set([20]))
  })

  it('sells one product of ten that are viewed', () => {
    const buys = sample(100_000).filter((event) => event.action === 'BUY').length
    expect(buys / 100_000).toBeGreaterThan(1 / 11 - 0.01)
    expect(buys / 100_000).toBeLessThan(1 / 11 + 0.01)
  })

  it('gives a product the same brand, category and price each time', () => {
    const products = new Map<unknown, string>()
    for (const { product_info: product } of sample(20_000)) {
      const known = products.get(product.product_id) ?? JSON.stringify(product)
      expect(JSON.stringify(product)).toBe(known)
      products.set(product.product_id, known)
    }
  })

  it('writes times as live traffic does: no fraction where the milliseconds are 0', () => {
    expect(liveTime(NOW_MS)).toBe('2026-01-02T03:04:05.678Z')
    expect(liveTime(NOW_MS - 678)).toBe('2026-01-02T03:04:05Z')
  })

  it('puts a time into a serialised event', () => {
    const timeless = createRetailer(7).nextTimeless()
    expect(JSON.parse(withTime(JSON.stringify(timeless), NOW_MS))).toEqual(createRetailer(7).next(NOW_MS))
  })

  it('draws numbers from 0 to below 1, evenly', () => {
    const random = createRandom(0)
    const numbers = Array.from({ length: 10_000 }, random)
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...numbers)).toBeLessThan(1)
    expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1)
  })
})
