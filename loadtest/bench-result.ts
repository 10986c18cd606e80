import type { BenchConfig } from './config.ts'
import type { Circumstances } from './markdown.ts'
import type { Comparison } from './full-speed.ts'
import type { FirehoseFigures } from './k6-run.ts'
import type { Freshness } from './freshness.ts'
import type { FullSpeedRound } from './full-speed.ts'
import type { ResourceUsage } from './resource-usage.ts'
import type { StoredCounts } from './stored-counts.ts'
import type { Target } from './targets.ts'

/** The retailer's load at its stated rates, against the whole system on one machine. */
export interface Firehose {
  load: FirehoseFigures
  freshness: Freshness
  /** Events answered 204, those of the probes included. */
  acceptedInAll: number
  stored: StoredCounts
  resources: ResourceUsage
}

/** The highest rates of events. */
export interface FullSpeed {
  /** The role ingest alone, with the embedded log. */
  ingest: Comparison
  /** The whole system: processors and ClickHouse work on the same cores meanwhile. */
  system: { rounds: FullSpeedRound[], median: number, accepted: number, stored: StoredCounts }
}

export interface BenchFigures {
  settings: BenchConfig
  firehose: Firehose
  fullSpeed: FullSpeed
}

export interface BenchResult extends BenchFigures, Circumstances {
  targets: Target[]
}
