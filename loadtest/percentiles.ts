export interface Distribution {
  count: number
  p50: number
  p95: number
  p99: number
  max: number
}

/** Exact percentiles (nearest rank) of samples, which stay as they are; all NaN where there are none. */
export function distributionOf (samples: readonly number[]): Distribution {
  const sorted = Float64Array.from(samples).sort()
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1)
  }
}

/** The mean of the middle two, or the middle one; NaN where there are none. */
export function median (samples: readonly number[]): number {
  const sorted = Float64Array.from(samples).sort()
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2
}

/** Nearest rank: the smallest sample that at least this share of all samples does not exceed. */
function percentile (sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
