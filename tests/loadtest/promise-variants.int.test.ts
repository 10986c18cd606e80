import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VARIANTS, expectedErased, fillTopic, runVariant } from '../../loadtest/promise-variants.ts'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { promisesSection } from '../../loadtest/promises-section.ts'
import { goodFigures, resultOf } from './bench-result.ts'

const RECORDS = 1_000

test('each promise is measured with and without, and the tombstones are those that keep records out', async () => {
  const without = (part: (variant: typeof VARIANTS[number]) => boolean) => VARIANTS.filter(part).length
  expect(without(({ windowMs }) => windowMs === 0)).toBe(1)
  expect(without(({ announces }) => !announces)).toBe(1)
  expect(without(({ tombstones }) => tombstones === 'none')).toBe(1)

  const directory = await mkdtemp(join(tmpdir(), 'millrace-promises-'))
  const eventLog = openEmbeddedLog({ directory })
  try {
    for (const ids of ['SERVER', 'BODY'] as const) await fillTopic(eventLog, ids, RECORDS)
    for (const variant of VARIANTS) {
      const { erased } = await runVariant(eventLog, variant, { group: variant.name, records: RECORDS })
      expect(erased, variant.name).toBe(variant.tombstones === 'newer' ? 1 : 0)
      expect(erased).toBe(expectedErased(variant, RECORDS))
    }
  } finally {
    await eventLog.close()
    await rm(directory, { recursive: true })
  }
})

test('the section says what was measured, how and where, rounded against us', () => {
  const { machine, revision, startedAt, loadPerCoreBefore } = resultOf(goodFigures())
  const cost = { recordsPerSecond: 999.9, cpuSecondsPerMillion: 8.01 }
  const text = promisesSection({
    machine,
    revision,
    startedAt,
    loadPerCoreBefore,
    seconds: 61,
    records: 7,
    recordsPerBatch: 3,
    tombstones: 5,
    rounds: 1,
    results: [{ variant: 'every promise', ...cost, runs: [{ ...cost, erased: 0 }] }]
  })
  for (const fact of ['(61 s)', '7 records in batches of 3', '5 tombstones', '| every promise | 999 | 8.1 |', 'Some CPU', 'commit abc']) {
    expect(text).toContain(fact)
  }
})
