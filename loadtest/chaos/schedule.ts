import { faultVariants } from './fault-kinds.ts'
import type { SeededRandom } from '../../tests/support/seeded-random.ts'
import type { FaultName, FaultVariant, Means } from './fault-kinds.ts'

export interface PlannedFault {
  /** From 1. */
  number: number
  name: FaultName
  target: string
  variant: string
  /** Milliseconds after the start of the load. */
  atMs: number
  /** How long it lasts; what follows from it lasts longer. */
  ms: number
  /** Free choice of the fault, from 0 to below 1: how late a connection is, how far a clock moves. */
  dose: number
}

export interface ScheduleOptions {
  random: SeededRandom
  means: Means
  faults: number
  /** From one fault to the next, on average. */
  intervalMs: number
}

const STEPS = 1_000

/**
 * When what happens; the same again from the same seed. Every kind of fault comes once before one comes
 * twice, and every variant of a kind before one comes again, so that a short run is as varied as it can be.
 * Faults may overlap.
 */
export function scheduleFaults ({ random, means, faults, intervalMs }: ScheduleOptions): PlannedFault[] {
  const variants = varied(random, faultVariants(means), faults)
  return variants.map(({ name, target, variant, msMin, msMax }, index) => ({
    number: index + 1,
    name,
    target,
    variant,
    atMs: (index + 1) * intervalMs + random.below(Math.ceil(intervalMs / 2)),
    ms: msMin + random.below(msMax - msMin + 1),
    dose: random.below(STEPS) / STEPS
  }))
}

function varied (random: SeededRandom, all: readonly FaultVariant[], count: number): FaultVariant[] {
  const byName = [...Map.groupBy(all, ({ name }) => name).values()]
  const left = new Map<readonly FaultVariant[], FaultVariant[]>()
  const chosen: FaultVariant[] = []
  while (chosen.length < count) {
    // Kinds that have something new come first; where nothing has, everything is new again.
    if (byName.every((variants) => left.get(variants)?.length === 0)) left.clear()
    for (const variants of shuffled(random, byName)) {
      const unused = left.get(variants) ?? shuffled(random, variants)
      left.set(variants, unused)
      const next = unused.pop()
      if (next !== undefined) chosen.push(next)
    }
  }
  return chosen.slice(0, count)
}

function shuffled<T> (random: SeededRandom, values: readonly T[]): T[] {
  const left = [...values]
  return values.map(() => left.splice(random.below(left.length), 1)[0] as T)
}
