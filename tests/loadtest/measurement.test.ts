import { describe, expect, it } from 'vitest'
import { renderMeasurement } from '../../loadtest/measurement.ts'
import { sendPaced } from '../../loadtest/paced-requests.ts'
import { goodFigures, resultOf } from './bench-result.ts'
import type { Answer } from '../../loadtest/loopback-client.ts'

const { signal } = new AbortController()

describe('the result of a shorter bench', () => {
  it('says what was missed, where and how the figures were taken, and with which settings', () => {
    const { machine, revision, startedAt, loadPerCoreBefore } = resultOf(goodFigures())
    const text = renderMeasurement({
      name: 'queries',
      title: 'Questions',
      settings: { BENCH_SEED: 1 },
      machine,
      revision,
      startedAt,
      loadPerCoreBefore,
      targets: [{ name: 'ratio', unit: '', value: 1.4999, comparison: '<', bound: 1.5 },
        { name: 'p99', unit: 'ms', value: NaN, comparison: '<', bound: 200 }],
      sections: ['## Figures'],
      conditions: ['In turns.'],
      figures: {}
    })
    for (const fact of ['# Questions, 2026-01-02', '1 of 2 targets missed', 'node loadtest/bench-queries.ts',
      '| ratio | 1.500 | < 1.5 | met |', '| p99 | not measured | < 200 ms | **missed** |', '- In turns.', 'Some CPU', 'commit abc',
      '| BENCH_SEED | 1 |']) {
      expect(text).toContain(fact)
    }
  })
})

describe('requests at a constant rate', () => {
  it('are all sent, and only answers 200 have a latency', async () => {
    const answers = [200, 500, 200]
    const { requests, failed, latencyMs } = await sendPaced({
      perSecond: 300, seconds: 0.01, underWayMax: 9, signal, send: async (index) => ({ status: answers[index] as number, body: '' })
    })
    expect({ requests, failed, answered: latencyMs.count }).toEqual({ requests: 3, failed: 1, answered: 2 })
  })

  it('count as failed where too many are under way to send them, and where no answer comes', async () => {
    const send = () => new Promise<Answer>((_resolve, reject) => {
      setTimeout(() => reject(new Error('no answer')), 50)
    })
    const figures = await sendPaced({ perSecond: 1000, seconds: 0.01, underWayMax: 1, signal, send })
    expect(figures).toMatchObject({ requests: 10, failed: 10, latencyMs: { count: 0 } })
  })
})
