import { describe, expect, it } from 'vitest'
import { LoopbackClient } from '../../loadtest/loopback-client.ts'
import { compareRates } from '../../loadtest/full-speed.ts'
import { readSummary } from '../../loadtest/k6-run.ts'
import { round } from './bench-result.ts'
import type { FullSpeedOptions } from '../../loadtest/full-speed.ts'

describe('the comparison of two servers', () => {
  it('alternates between them, does not count the warm-up, and compares medians', async () => {
    const calls: Array<Pick<FullSpeedOptions, 'url' | 'seconds' | 'seed'>> = []
    const rates = [1, 1, 100, 200, 300, 400, 110, 100]
    const comparison = await compareRates({
      measuredUrl: 'a',
      referenceUrl: 'b',
      rounds: 3,
      warmUpSeconds: 2,
      connections: 64,
      seconds: 10,
      bodiesPerConnection: 5,
      seed: 1,
      runRound: async ({ url, seconds, seed }) => {
        calls.push({ url, seconds, seed })
        return round(rates[calls.length - 1] as number)
      }
    })
    expect(calls.map(({ url, seconds }) => `${url}${seconds}`)).toEqual(['a2', 'b2', 'a10', 'b10', 'a10', 'b10', 'a10', 'b10'])
    expect(calls.slice(2).map(({ seed }) => seed)).toEqual([1, 1, 2, 2, 3, 3])
    expect(comparison).toMatchObject({ measuredMedian: 110, referenceMedian: 200, ratio: 0.75 })
  })
})

describe('the summary of k6', () => {
  const metrics = {
    events_accepted: { values: { count: 7 } },
    'http_reqs{scenario:user_tags}': { values: { count: 8 } },
    'http_req_failed{scenario:user_tags}': { values: { rate: 0.125, passes: 1, fails: 7 } },
    'http_req_duration{scenario:user_tags}': { values: { med: 1, 'p(95)': 2, 'p(99)': 3, max: 4 } },
    'http_reqs{scenario:aggregates}': { values: { count: 0 } },
    'http_req_duration{scenario:aggregates}': { values: { med: 0, 'p(95)': 0, 'p(99)': 0, max: 0 } }
  }
  const figures = readSummary({ state: { testRunDurationMs: 1500 }, metrics })

  it('gives each endpoint its own figures', () => {
    expect(figures).toMatchObject({ seconds: 1.5, accepted: 7, droppedIterations: 0 })
    expect(figures.endpoints.user_tags).toEqual({
      requests: 8, failed: 1, latencyMs: { p50: 1, p95: 2, p99: 3, max: 4 }
    })
  })

  it('has no latency where there were no requests, so that no target is met by doing nothing', () => {
    expect(figures.endpoints.aggregates.latencyMs.p99).toBeNaN()
    expect(figures.endpoints.user_profiles.latencyMs.p99).toBeNaN()
  })
})

describe('the client', () => {
  it.each(['http://example.com', 'https://127.0.0.1:1', 'http://10.0.0.1:8080'])('refuses %s', (baseUrl) => {
    expect(() => new LoopbackClient({ baseUrl, connectionsMax: 1 })).toThrow('not HTTP on loopback')
  })
})
