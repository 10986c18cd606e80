import { expect, test } from 'vitest'
import { until } from './until.ts'

const DEADLINE_MS = 5_000

test('the first answer of a probe ends the wait', async () => {
  let asked = 0
  expect(await until('an answer', DEADLINE_MS, () => ++asked === 3 ? 'here' : undefined)).toBe('here')
  expect(asked).toBe(3)
})

test('what a probe throws is no answer yet, and is the cause past the deadline', async () => {
  let asked = 0
  const once = (): true => {
    if (asked++ === 0) throw new Error('not yet')
    return true
  }
  expect(await until('an answer', DEADLINE_MS, once)).toBe(true)
  const never = (): undefined => { throw new Error('never') }
  await expect(until('an answer', 1, never)).rejects.toMatchObject({ message: 'Not within 1 ms: an answer', cause: { message: 'never' } })
})

test('what a probe throws ends the wait where that is asked for', async () => {
  let asked = 0
  const probe = (): undefined => { throw new Error(`gone ${++asked}`) }
  await expect(until('an answer', DEADLINE_MS, probe, { retryThrown: false })).rejects.toThrow('gone 1')
})
