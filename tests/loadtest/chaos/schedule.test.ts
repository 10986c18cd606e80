import { describe, expect, test } from 'vitest'
import { faultVariants } from '../../../loadtest/chaos/fault-kinds.ts'
import { scheduleFaults } from '../../../loadtest/chaos/schedule.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import type { Means } from '../../../loadtest/chaos/fault-kinds.ts'
import type { PlannedFault } from '../../../loadtest/chaos/schedule.ts'

const EMBEDDED: Means = { log: 'embedded', disks: true, clickHouseDisk: true, clocks: true }
const KAFKA: Means = { log: 'kafka', disks: true, clickHouseDisk: true, clocks: true }

function schedule (seed: number, faults: number, means = EMBEDDED): PlannedFault[] {
  return scheduleFaults({ random: new SeededRandom(seed), means, faults, intervalMs: 5_000 })
}

function named ({ name, target, variant }: { name: string, target: string, variant: string }): string {
  return `${name}, ${target}, ${variant}`
}

describe('the schedule of faults', () => {
  test('is the same again from the same seed, and another from another', () => {
    expect(schedule(7, 40)).toEqual(schedule(7, 40))
    expect(schedule(8, 40)).not.toEqual(schedule(7, 40))
  })

  test.each([EMBEDDED, KAFKA])('has every variant of every fault where it is long enough: $log', (means) => {
    const variants = faultVariants(means)
    for (const seed of [1, 2, 3]) {
      expect(schedule(seed, variants.length, means).map(named).sort()).toEqual(variants.map(named).sort())
    }
  })

  test('has every kind of fault where it is short', () => {
    const kinds = new Set(faultVariants(EMBEDDED).map(({ name }) => name))
    for (const seed of [1, 2, 3, 4, 5]) {
      expect(new Set(schedule(seed, kinds.size).map(({ name }) => name))).toEqual(kinds)
    }
  })

  test('goes on with the same variants where it is longer than there are any', () => {
    expect(schedule(1, 200)).toHaveLength(200)
  })

  test('is in order of time, and keeps each fault within its bounds', () => {
    const bounds = new Map(faultVariants(KAFKA).map((variant) => [named(variant), variant]))
    const planned = schedule(11, 100, KAFKA)
    expect(planned.map(({ atMs }) => atMs)).toEqual(planned.map(({ atMs }) => atMs).sort((a, b) => a - b))
    for (const fault of planned) {
      const { msMin, msMax } = bounds.get(named(fault)) as { msMin: number, msMax: number }
      expect(fault.ms).toBeGreaterThanOrEqual(msMin)
      expect(fault.ms).toBeLessThanOrEqual(msMax)
    }
  })

  test('kills each role, the broker where there is one, and both processors at once', () => {
    const killed = (means: Means): string[] => {
      return faultVariants(means).filter(({ name }) => name.startsWith('kill')).map(({ target }) => target)
    }
    const everywhere = ['ingest', 'processors-1', 'processors-2', 'processors', 'clickhouse', 'query-api']
    expect(new Set(killed(EMBEDDED))).toEqual(new Set(everywhere))
    expect(new Set(killed(KAFKA))).toEqual(new Set([...everywhere, 'broker']))
  })

  test('leaves out what the machine cannot do, and nothing else', () => {
    const poor = faultVariants({ log: 'embedded', disks: false, clickHouseDisk: false, clocks: false })
    const names = new Set(faultVariants(EMBEDDED).map(({ name }) => name))
    names.delete('fill disk')
    names.delete('move clock')
    expect(new Set(poor.map(({ name }) => name))).toEqual(names)
    // A disk that is full is injected where none can be mounted.
    expect(names).toContain('no space')
  })
})
