import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENT_TIME_MS_MAX, fromEpoch } from '../../contract/index.ts'

test.each([
  [0, 0], [1224567997, 1224567997000], [1224567997.5, 1224567997500], [1.001, 1001], [0.0019, 1],
  [1e11, 1e11], [1224567997123.9, 1224567997123], [EVENT_TIME_MS_MAX, EVENT_TIME_MS_MAX]
])('the number %d is %d ms', (number, ms) => {
  expect(fromEpoch(number)).toBe(ms)
})

test.each([-1, -0.001, EVENT_TIME_MS_MAX + 1, 4_300_000_000, 99_999_999_999, NaN, Infinity])('%d is no time', (number) => {
  expect(fromEpoch(number)).toBeUndefined()
})

test('every millisecond of a second comes back from its decimal fraction', () => {
  const seconds = fc.integer({ min: 0, max: 4_102_444_800 })
  fc.assert(fc.property(seconds, fc.integer({ min: 0, max: 999 }), (second, ms) => {
    expect(fromEpoch(Number(`${second}.${String(ms).padStart(3, '0')}`))).toBe(second * 1000 + ms)
  }))
})
