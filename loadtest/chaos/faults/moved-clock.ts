/** The wall clock of one process jumps, and jumps back; its monotonic clock goes on. */
import { setTimeout as delay } from 'node:timers/promises'
import { targetOf } from './fault.ts'
import type { Inject } from './fault.ts'

/** Into other days, and less than DUPLICATE_WINDOW_MS, which deployment.ts sets. */
const HOURS_MAX = 20
const SECONDS_PER_HOUR = 3_600

export const moveClock: Inject = async ({ clocks }, fault) => {
  const clock = targetOf(clocks, fault)
  const seconds = Math.ceil((1 + fault.dose * (HOURS_MAX - 1)) * SECONDS_PER_HOUR)
  clock.move(fault.variant === 'back' ? -seconds : seconds)
  await delay(fault.ms)
  clock.move(0)
  return `${(seconds / SECONDS_PER_HOUR).toFixed(1)} h ${fault.variant} for ${fault.ms} ms`
}
