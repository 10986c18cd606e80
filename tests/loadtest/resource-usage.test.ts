import { expect, it } from 'vitest'
import { parseSmapsRollup, parseStat, roleOf } from '../../loadtest/process-tree.ts'
import { summarise } from '../../loadtest/resource-usage.ts'

const sample = (pid: number, role: string, pssBytes: number, cpuSeconds: number) => {
  return { pid, role, pssBytes, rssBytes: 2 * pssBytes, cpuSeconds }
}

it('reads the parent and the CPU time of a process whose name holds brackets and blanks', () => {
  const text = '42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 11 0 1 2 3'
  expect(parseStat(text)).toEqual({ parentPid: 7, cpuSeconds: 2 })
})

it('reads PSS, and not one of its parts', () => {
  const text = 'Rss:                2048 kB\nPss:                1024 kB\nPss_Dirty:            12 kB\n'
  expect(parseSmapsRollup(text)).toEqual({ pssBytes: 1024 * 1024, rssBytes: 2048 * 1024 })
})

it('names a process by its role, or by its program', () => {
  expect(roleOf('node\0--flag\0/x/cli/main.ts\0serve\0')).toBe('serve')
  expect(roleOf('/usr/bin/other\0-x\0')).toBe('/usr/bin/other')
})

it('takes the peak of all processes together, not the sum of their peaks', () => {
  const usage = summarise([
    [sample(1, 'serve', 100, 5), sample(2, 'clickhouse', 10, 1)],
    [sample(1, 'serve', 10, 7), sample(2, 'clickhouse', 60, 2)]
  ], 10)
  expect(usage.pss).toEqual({ peakBytes: 110, meanBytes: 90 })
  expect(usage.rss.peakBytes).toBe(220)
  expect(usage.roles).toEqual({
    serve: { pssPeakBytes: 100, cpuSeconds: 2 },
    clickhouse: { pssPeakBytes: 60, cpuSeconds: 1 }
  })
})

it('adds up the CPU of a role whose process was replaced', () => {
  const usage = summarise([
    [sample(1, 'serve', 1, 5)], [sample(1, 'serve', 1, 6)], [sample(3, 'serve', 1, 0.5)], [sample(3, 'serve', 1, 2)]
  ], 10)
  expect(usage.roles['serve']?.cpuSeconds).toBe(2.5)
})
