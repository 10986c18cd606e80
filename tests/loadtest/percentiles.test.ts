import { expect, it } from 'vitest'
import { distributionOf, median } from '../../loadtest/percentiles.ts'

it('takes the nearest rank: a percentile is always a sample', () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(distributionOf(samples)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99, max: 100 })
  expect(distributionOf([3])).toEqual({ count: 1, p50: 3, p95: 3, p99: 3, max: 3 })
})

it('never takes a percentile below its rank where samples are few', () => {
  expect(distributionOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 1000]).p99).toBe(1000)
})

it('has no figure where there are no samples', () => {
  expect(distributionOf([])).toEqual({ count: 0, p50: NaN, p95: NaN, p99: NaN, max: NaN })
  expect(median([])).toBeNaN()
})

it('sorts by value and leaves the samples as they are', () => {
  const samples = [10, 9, 100]
  expect(distributionOf(samples).max).toBe(100)
  expect(samples).toEqual([10, 9, 100])
})

it('takes the middle one, or the mean of the middle two, as the median', () => {
  expect(median([30, 10, 20])).toBe(20)
  expect(median([40, 10, 20, 30])).toBe(25)
})
