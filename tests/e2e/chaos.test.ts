/** `make chaos` in its short form: every kind of fault once, under load, on each log. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { faultVariants } from '../../loadtest/chaos/fault-kinds.ts'
import { runChaos } from '../../loadtest/chaos/run.ts'
import { describeOnEachLog } from '../support/each-log.ts'
import { installKafka } from '../support/kafka-broker.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const EVENTS = 20_000
const FAULT_INTERVAL_MS = 2_500
const RUN_MS_MAX = 900_000

describeOnEachLog('every kind of fault under load', (log) => {
  test('each acknowledged event is in every table once, each other one at most once, and the books balance', async () => {
    if (log === 'kafka') await installKafka()
    const { seed } = SeededRandom.fromEnv(`every kind of fault under load, ${log}`)
    const variants = faultVariants({ log, disks: true, clickHouseDisk: false, clocks: true })
    const kinds = new Set(variants.map(({ name }) => name))
    const directory = mkdtempSync(join(tmpdir(), `millrace-chaos-${log}-`))
    const logFile = join(directory, 'roles.log')
    const result = await runChaos({
      log,
      seed,
      faults: kinds.size,
      events: EVENTS,
      intervalMs: FAULT_INTERVAL_MS,
      fillClickHouseDisk: false,
      logFile,
      signal: new AbortController().signal,
      say: (line) => console.log(line)
    })
    expect(result.faults).toHaveLength(kinds.size)
    expect(result.checks.filter(({ mismatches }) => mismatches > 0), `the roles' log is ${logFile}`).toEqual([])
    rmSync(directory, { recursive: true })
  }, RUN_MS_MAX)
})
