import { expect, test } from 'vitest'
import { RUN_SETTINGS } from '../../../loadtest/chaos/run-settings.ts'
import { renderReport } from '../../../loadtest/chaos/report.ts'
import { roles } from '../../../cli/roles/index.ts'

const REPORT = renderReport({
  startedAt: '2026-01-02T03:04:05Z',
  seed: 7,
  machine: { cpuModel: 'CPU', cores: 2, memoryBytes: 4e9, kernel: 'Linux', node: 'v24', fileSystem: 'ext4' },
  revision: { commit: 'abc', changed: false },
  results: []
})

test.each(RUN_SETTINGS)('a chaos report names $name, which is not as it is by default, and why', ({ name, value, why }) => {
  expect(REPORT).toContain(`| \`${name}\` | ${value} | ${why} |`)
  const known = roles.flatMap(({ settings }) => Object.entries(settings)).filter(([key]) => key === name)
  expect(known.length).toBeGreaterThan(0)
  for (const [, setting] of known) expect(String((setting as { default?: unknown }).default)).not.toBe(value)
})
