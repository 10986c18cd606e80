/** ClickHouse refuses inserts: too many parts, no memory, no time; some of them have landed all the same. */
import { setTimeout as delay } from 'node:timers/promises'
import { AFTER, EXCEPTIONS } from '../fault-kinds.ts'
import type { Inject } from './fault.ts'

export const exception: Inject = async ({ clickHouseProxy }, { variant, ms }) => {
  const [name = '', when] = variant.split(', ')
  const injected = EXCEPTIONS[name]
  if (injected === undefined) throw new Error(`There is no exception ${name}`)
  clickHouseProxy.inject({ ...injected, when: when === AFTER ? 'after' : 'before' })
  await delay(ms)
  const hits = clickHouseProxy.relent()
  return `code ${injected.code} for ${ms} ms: ${hits} inserts`
}
