import { describe, expect, it } from 'vitest'
import { goodFigures, resultOf } from './bench-result.ts'
import { isMet, targetsOf } from '../../loadtest/targets.ts'
import { renderResult } from '../../loadtest/render-result.ts'
import type { BenchFigures } from '../../loadtest/bench-result.ts'

function missedWith (change: (figures: BenchFigures) => void): string[] {
  const figures = goodFigures()
  change(figures)
  return targetsOf(figures).filter((target) => !isMet(target)).map((target) => target.name)
}

function rowsWith (change: (figures: BenchFigures) => void): string {
  const figures = goodFigures()
  change(figures)
  return renderResult(resultOf(figures))
}

describe('the targets', () => {
  it('are met by figures that meet them', () => {
    expect(missedWith(() => {})).toEqual([])
  })

  it.each<[string, (figures: BenchFigures) => void]>([
    ['user_tags: p99', ({ firehose }) => { firehose.load.endpoints.user_tags.latencyMs.p99 = 50 }],
    ['user_profiles: p99', ({ firehose }) => { firehose.load.endpoints.user_profiles.latencyMs.p99 = 150 }],
    ['aggregates: p99', ({ firehose }) => { firehose.load.endpoints.aggregates.latencyMs.p99 = 1000 }],
    ['aggregates: failed requests', ({ firehose }) => { firehose.load.endpoints.aggregates.failed = 1 }],
    ['arrivals dropped by the client', ({ firehose }) => { firehose.load.droppedIterations = 1 }],
    ['events accepted', ({ firehose }) => { firehose.load.accepted = 56_999 }],
    ['events in user_tags, of all answered 204', ({ firehose }) => { firehose.stored.user_tags -= 1 }],
    ['events in user_tags_by_minute, of all answered 204', ({ firehose }) => { firehose.stored.user_tags_by_minute += 1 }],
    ['different events stored, of all answered 204', ({ firehose }) => { firehose.stored.eventIds -= 1 }],
    ['freshness: p99', ({ firehose }) => { firehose.freshness.delaysMs.push(5_000, 5_000) }],
    ['freshness: p99', ({ firehose }) => { firehose.freshness.delaysMs = [] }],
    ['freshness: probes never seen', ({ firehose }) => { firehose.freshness.unseen = 1 }],
    ['memory of all processes, peak PSS', ({ firehose }) => { firehose.resources.pss.peakBytes = 2e9 }],
    ['highest ingest rate ÷ Fastify that only validates', ({ fullSpeed }) => { fullSpeed.ingest.ratio = 0.59999 }]
  ])('%s is missed at its bound', (name, change) => {
    expect(missedWith(change)).toEqual([name])
  })

  it('are missed where nothing was measured', () => {
    expect(missedWith(({ fullSpeed }) => { fullSpeed.ingest.ratio = NaN })).toHaveLength(1)
  })
})

describe('the written result', () => {
  it('never rounds a figure in our favour', () => {
    const text = rowsWith(({ firehose, fullSpeed }) => {
      firehose.load.endpoints.user_tags.latencyMs.p99 = 49.91
      fullSpeed.ingest.ratio = 0.59999
    })
    expect(text).toContain('| user_tags: p99 | 50.0 ms | < 50 ms | met |')
    expect(text).toContain('validates | 0.599 | >= 0.6 | **missed** |')
    expect(text).toContain('1 of 17 targets missed')
  })

  it('says where and how the figures were taken', () => {
    const text = rowsWith(() => {})
    for (const fact of ['Some CPU', '8.0 GB', 'Linux 6', 'Node v24', 'ext4', 'commit abc', 'All targets met', '| BENCH_SECONDS | 60 |']) {
      expect(text).toContain(fact)
    }
    expect(text).not.toContain('undefined')
    expect(text).not.toContain('NaN')
  })

  it('says where others used the machine too', () => {
    const result = resultOf(goodFigures())
    expect(renderResult(result)).not.toContain('Others used')
    expect(renderResult({ ...result, loadPerCoreBefore: 0.6 })).toContain('Others used the machine too')
  })

  it('says of a figure that is not there that it was not measured', () => {
    const text = rowsWith(({ firehose }) => { firehose.freshness.delaysMs = [] })
    expect(text).toContain('| freshness: p99 | not measured | < 5000 ms | **missed** |')
  })
})
