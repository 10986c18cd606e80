import { describe, expect, it } from 'vitest'
import { aggregateRow, metricSum, newestAction, renderSecond, renderTotals } from '../../loadtest/demo-line.ts'

const SECOND = {
  elapsedSeconds: 61,
  accepted: 61_000,
  acceptedThisSecond: 1_000,
  stored: 60_200,
  lag: 800,
  freshnessMs: 712,
  postP99Ms: 4.06,
  example: 'an example'
}

describe("the demo's line", () => {
  it('holds every figure on one line', () => {
    expect(renderSecond(SECOND).replace(/ +/g, ' '))
      .toBe('01:01 accepted 61,000 (+1,000) stored 60,200 lag 800 fresh 0.71 s p99 4.1 ms an example')
  })

  it('shows what is not known yet as such, never as 0', () => {
    const line = renderSecond({
      ...SECOND, stored: undefined, lag: undefined, freshnessMs: undefined, postP99Ms: NaN, example: ''
    })
    expect(line.replace(/ +/g, ' ')).toBe('01:01 accepted 61,000 (+1,000) stored – lag – fresh – p99 –')
  })

  it('keeps its columns in place while figures grow', () => {
    const column = (line: string) => line.indexOf('lag')
    expect(column(renderSecond({ ...SECOND, accepted: 1, acceptedThisSecond: 1, stored: 0 })))
      .toBe(column(renderSecond(SECOND)))
  })
})

describe('the closing summary', () => {
  const totals = { elapsedSeconds: 10.2, accepted: 10_000, stored: 10_000, refused: 0, skipped: 0 }

  it('says whether anything is missing', () => {
    expect(renderTotals(totals)).toContain('10,000 stored, none missing')
    expect(renderTotals({ ...totals, stored: 9_990 })).toContain('10 not stored yet')
    expect(renderTotals({ ...totals, stored: undefined })).toContain('– not stored yet')
  })

  it('does not divide by a demo that never began', () => {
    expect(renderTotals({ ...totals, elapsedSeconds: 0, accepted: 0 })).toContain('(0 a second)')
  })
})

describe('example answers', () => {
  const tag = (time: string, action: string) => ({ time, action, product_info: { brand_id: 'Ebros_Gift' } })

  it('show the newest action of both lists', () => {
    const profile = JSON.stringify({
      cookie: 'FbOpEEmOmpMDNrhBmCKM',
      views: [tag('2026-01-02T03:04:05Z', 'VIEW')],
      buys: [tag('2026-01-02T03:04:05.500Z', 'BUY')]
    })
    expect(newestAction(profile, Date.UTC(2026, 0, 2, 3, 4, 6))).toBe('FbOpEE… BUY Ebros_Gift, 0.5 s ago')
  })

  it('are empty where the answer is', () => {
    expect(newestAction('{"cookie":"c","views":[],"buys":[]}', 0)).toBe('')
    expect(aggregateRow('{"columns":[],"rows":[]}')).toBe('')
  })

  it('show an aggregate with its minute', () => {
    const answer = '{"columns":["1m_bucket"],"rows":[["2026-01-02T03:04:00","VIEW","54321","12345678"]]}'
    expect(aggregateRow(answer)).toBe('03:04 VIEW: 54,321 events, prices add up to 12,345,678')
  })
})

it('adds up the series of a metric that carry a label, and only those', () => {
  const exposition = [
    '# TYPE lag gauge', 'lag{topic="user_tags",partition="0"} 3', 'lag{topic="user_tags",partition="1"} 4',
    'lag{topic="visits",partition="0"} 100', 'lag_total{topic="user_tags"} 1000'
  ].join('\n')
  expect(metricSum(exposition, 'lag', 'user_tags')).toBe(7)
  expect(metricSum(exposition, 'lag', 'none')).toBeUndefined()
})
