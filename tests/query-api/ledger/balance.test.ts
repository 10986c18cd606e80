import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { NOTHING_BOOKED, balanceOf, edgeFaults, edgeGaps } from '../../../query-api/ledger/balance.ts'

const POSITION = { stream: 's', partition: 0, begin: 0, committed: 10, end: 12 }
const booked = (stored: number) => ({ ...NOTHING_BOOKED, accepted: stored, stored })

/** begin <= committed <= end, and a reach of batches anywhere. */
const sizes = fc.nat(1000)
const partitions = fc.tuple(sizes, sizes, sizes, fc.option(fc.tuple(fc.nat(3000), fc.nat(3000))))
  .map(([begin, stored, waiting, reach]) => ({
    position: { ...POSITION, begin, committed: begin + stored, end: begin + stored + waiting },
    reach: reach === null ? undefined : { from: Math.min(...reach), to: Math.max(...reach) + 1 }
  }))

describe('the balance of a partition', () => {
  test('is nothing where batches reach from the begin of the log to the committed offset', () => {
    expect(balanceOf(POSITION, booked(10), { from: 0, to: 10 })).toEqual({
      ...POSITION, ...booked(10), accepted: 12, in_flight: 2, balance: 0, imbalance: 0
    })
  })

  test('is what no batch accounts for, at either end, or everywhere where there is none', () => {
    const partly = balanceOf(POSITION, booked(6), { from: 1, to: 7 })
    expect(partly).toMatchObject({ accepted: 12, balance: 4, imbalance: 4 })
    const none = balanceOf(POSITION, NOTHING_BOOKED, undefined)
    expect(none).toMatchObject({ accepted: 12, balance: 10, imbalance: 10 })
  })

  test('knows nothing of what the log deleted before any batch', () => {
    const position = { ...POSITION, begin: 5 }
    expect(balanceOf(position, booked(5), { from: 5, to: 10 })).toMatchObject({ balance: 0, imbalance: 0 })
    expect(balanceOf(position, booked(10), { from: 0, to: 10 })).toMatchObject({ balance: 0, imbalance: 0 })
  })

  test('adds up: what was accepted is stored, in flight, or missing', () => {
    fc.assert(fc.property(partitions, fc.nat(100), ({ position, reach }, stored) => {
      const { accepted, in_flight: inFlight, balance, imbalance } = balanceOf(position, booked(stored), reach)
      expect(accepted).toBe(stored + inFlight + balance)
      expect(balance).toBe(imbalance)
    }))
  })

  test('names as missing exactly the offsets in the log, below the committed one, beside all batches', () => {
    fc.assert(fc.property(partitions, ({ position, reach }) => {
      const { begin, committed } = position
      const inReach = (offset: number): boolean => {
        return reach !== undefined && offset >= reach.from && offset < reach.to
      }
      const offsets = Array.from({ length: committed - begin }, (_, index) => begin + index)
      const named = edgeGaps(position, reach).flatMap(({ from, to }) => {
        return Array.from({ length: to - from }, (_, index) => from + index)
      })
      expect(named).toEqual(offsets.filter((offset) => !inReach(offset)))
      const faults = edgeFaults(position, reach)
      expect(faults.reduce((sum, { expected }) => sum + expected, 0)).toBe(named.length)
    }))
  })
})
