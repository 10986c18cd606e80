import { benchSettings, loadConfig } from '../../loadtest/config.ts'
import { targetsOf } from '../../loadtest/targets.ts'
import type { BenchFigures, BenchResult } from '../../loadtest/bench-result.ts'
import type { FullSpeedRound } from '../../loadtest/full-speed.ts'

export function round (perSecond: number): FullSpeedRound {
  const latencyMs = { p50: 2, p99: 9, max: 30 }
  return { seconds: 10, accepted: perSecond * 10, perSecond, refused: 0, errors: 0, latencyMs }
}

/** Figures that meet every target. */
export function goodFigures (): BenchFigures {
  const endpoint = (requests: number) => {
    return { requests, failed: 0, latencyMs: { p50: 1, p95: 2, p99: 3, max: 4 } }
  }
  const events = 60_180
  const stored = {
    user_tags: events, user_tags_by_cookie: events, user_tags_by_minute: events, eventIds: events
  }
  return {
    settings: loadConfig(benchSettings, {}),
    firehose: {
      load: {
        seconds: 60,
        accepted: 60_000,
        droppedIterations: 0,
        endpoints: { user_tags: endpoint(60_000), user_profiles: endpoint(6_000), aggregates: endpoint(60) }
      },
      freshness: {
        sent: 180, accepted: 180, unseen: 0, delaysMs: Array.from({ length: 180 }, (_, ms) => ms)
      },
      acceptedInAll: events,
      stored,
      resources: {
        samples: 61,
        seconds: 60,
        pss: { peakBytes: 900e6, meanBytes: 800e6 },
        rss: { peakBytes: 1200e6, meanBytes: 1100e6 },
        roles: { serve: { pssPeakBytes: 150e6, cpuSeconds: 30 } }
      }
    },
    fullSpeed: {
      ingest: {
        measured: [round(600)],
        reference: [round(1000)],
        measuredMedian: 600,
        referenceMedian: 1000,
        ratio: 0.6
      },
      system: { rounds: [round(300)], median: 300, accepted: 3000, stored }
    }
  }
}

export function resultOf (figures: BenchFigures): BenchResult {
  return {
    startedAt: '2026-01-02T03:04:05.678Z',
    machine: {
      cpuModel: 'Some CPU', cores: 2, memoryBytes: 8e9, kernel: 'Linux 6', node: 'v24', fileSystem: 'ext4'
    },
    revision: { commit: 'abc', changed: false },
    loadPerCoreBefore: 0.1,
    targets: targetsOf(figures),
    ...figures
  }
}
