/** Records by their arrival: `[fromMs, toMs)`, epoch milliseconds. */
export interface Arrivals {
  fromMs: number
  toMs: number
}

export const ALL_ARRIVALS: Arrivals = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }

export function includes ({ fromMs, toMs }: Arrivals, timestampMs: number): boolean {
  return timestampMs >= fromMs && timestampMs < toMs
}
