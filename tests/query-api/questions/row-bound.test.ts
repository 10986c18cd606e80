import { describe, expect, it } from 'vitest'
import { RowBound } from '../../../query-api/questions/row-bound.ts'

const MILLION = 1_000_000
const { signal } = new AbortController()

/** A table whose rows a test sets, and how often they were counted. */
function table (rows: number) {
  const state = { rows, nowMs: 0, counts: 0 }
  const tableRows = async () => {
    state.counts += 1
    return state.rows
  }
  return { state, bound: new RowBound({ client: { tableRows }, monotonicMs: () => state.nowMs }) }
}

describe('the bound on the rows of a scan', () => {
  it('holds for a table that stays below the limit, whatever it gains until it is counted again', async () => {
    expect(await table(190 * MILLION).bound.holds('t', 200 * MILLION, signal)).toBe(true)
    expect(await table(190 * MILLION + 1).bound.holds('t', 200 * MILLION, signal)).toBe(false)
  })

  it('never holds where the limit is small, so that a table may fill up at once', async () => {
    expect(await table(0).bound.holds('t', 1, signal)).toBe(false)
  })

  it('does not hold where the engine does not say how large the table is', async () => {
    expect(await table(Infinity).bound.holds('t', 200 * MILLION, signal)).toBe(false)
  })

  it('counts a table once in ten seconds', async () => {
    const { state, bound } = table(5)
    expect(await bound.holds('t', 200 * MILLION, signal)).toBe(true)
    state.rows = 500 * MILLION
    state.nowMs = 10_000
    expect(await bound.holds('t', 200 * MILLION, signal)).toBe(true)
    state.nowMs = 10_001
    expect(await bound.holds('t', 200 * MILLION, signal)).toBe(false)
    expect(state.counts).toBe(2)
  })
})
