/** Faults of connections: late, cut, swallowing what they are given. */
import { setTimeout as delay } from 'node:timers/promises'
import { targetOf } from './fault.ts'
import type { Inject } from './fault.ts'

const LATE_MS_MIN = 50
const LATE_MS_MAX = 1_500

export const late: Inject = async ({ links }, fault) => {
  const link = targetOf(links, fault)
  const lateMs = Math.round(LATE_MS_MIN + fault.dose * (LATE_MS_MAX - LATE_MS_MIN))
  link.delay(lateMs)
  await delay(fault.ms)
  link.delay(0)
  return `${lateMs} ms late for ${fault.ms} ms`
}

export const cut: Inject = async ({ links }, fault) => {
  const link = targetOf(links, fault)
  link.cut()
  await delay(fault.ms)
  link.mend()
  return `cut, refused for ${fault.ms} ms`
}

export const swallow: Inject = async ({ links }, fault) => {
  const link = targetOf(links, fault)
  link.swallow()
  await delay(fault.ms)
  link.mend()
  return `open, carrying nothing for ${fault.ms} ms`
}
