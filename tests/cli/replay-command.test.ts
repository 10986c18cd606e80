import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { describeReport, progressBar } from '../../cli/replay-command.ts'

test('a replay shows how many offsets it has read of all', () => {
  const stream = new PassThrough()
  const bar = progressBar(stream)
  bar.show(0, 10)
  bar.show(5, 10)
  bar.stop()
  const shown = String(stream.read())
  expect(shown).toContain('50% | 5 of 10 offsets')
  // A guess from so little is none.
  expect(shown).not.toMatch(/NF|left/)
})

test('a replay that had nothing to show stops without a bar', () => {
  const stream = new PassThrough()
  progressBar(stream).stop()
  expect(stream.read()).toBeNull()
})

test('a replay says what it has done, how far back, and whether it went on with an earlier one', () => {
  const report = { table: 't', events: 7, fromMs: 0, resumed: false }
  expect(describeReport(report)).toBe('t: 7 events.')
  expect(describeReport({ ...report, fromMs: Date.UTC(2026, 0, 2), resumed: true }))
    .toBe('t: 7 events, arrivals since 2026-01-02T00:00:00.000Z, resumed.')
})
