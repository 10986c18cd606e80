import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'
import type { Tombstone } from './tombstone.ts'
import type { TombstoneLease } from './tombstone-lease.ts'

export interface ErasureMetrics {
  /** The erasures that are not complete, as they were seen last. */
  open: readonly Tombstone[]
  observe: (open: readonly Tombstone[]) => void
  /** An attempt failed. */
  failed: () => void
}

/** What is still to be erased, and how often that failed. */
export function createErasureMetrics (registry: Registry, now: () => number): ErasureMetrics {
  const failures = new Counter({
    name: 'millrace_erasure_failures_total',
    help: 'Attempts to carry an erasure out that failed; each is tried again.',
    registers: [registry]
  })
  const metrics: ErasureMetrics = {
    open: [], observe: (open) => { metrics.open = open }, failed: () => failures.inc()
  }
  const pending = new Gauge({
    name: 'millrace_erasures_pending',
    help: 'Erasures whose rows are not all removed from disk, by how far they have come.',
    labelNames: ['state'],
    registers: [registry],
    collect () {
      for (const state of ['waiting', 'collecting', 'masked'] as const) {
        this.set({ state }, metrics.open.filter((erasure) => erasure.state === state).length)
      }
    }
  })
  const age = new Gauge({
    name: 'millrace_erasures_oldest_pending_seconds',
    help: 'Age of the oldest erasure whose rows are not all removed from disk; 0 without one.',
    registers: [registry],
    collect () {
      const cutoffs = metrics.open.map(({ cutoffMs }) => cutoffMs)
      this.set(cutoffs.length === 0 ? 0 : (now() - Math.min(...cutoffs)) / 1000)
    }
  })
  pending.reset()
  age.set(0)
  return metrics
}

/** Gauge of what a lease holds in memory. */
export function registerTombstoneMetric (registry: Registry, lease: TombstoneLease): void {
  const gauge = new Gauge({
    name: 'millrace_erasure_tombstones',
    help: 'Tombstones of erasures that this process holds in memory.',
    registers: [registry],
    collect () { this.set(lease.size) }
  })
  gauge.set(lease.size)
}
