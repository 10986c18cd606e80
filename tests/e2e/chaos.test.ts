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
import type { Means } from '../../loadtest/chaos/fault-kinds.ts'

const EVENTS = 20_000
const FAULT_INTERVAL_MS = 2_500
const RUN_MS_MAX = 900_000

const isCI = process.env['CI'] === 'true'

function kindsOf (means: Means): Set<string> {
  return new Set(faultVariants(means).map(({ name }) => name))
}

describeOnEachLog('every kind of fault under load', (log) => {
  test('each acknowledged event is in every table once, each other one at most once, and the books balance', async () => {
    if (log === 'kafka') await installKafka()
    const { seed } = SeededRandom.fromEnv(`every kind of fault under load, ${log}`)
    const all = kindsOf({ log, disks: true, clickHouseDisk: false, clocks: true })
    const directory = mkdtempSync(join(tmpdir(), `millrace-chaos-${log}-`))
    const logFile = join(directory, 'roles.log')
    const result = await runChaos({
      log,
      seed,
      faults: all.size,
      events: EVENTS,
      intervalMs: FAULT_INTERVAL_MS,
      fillClickHouseDisk: false,
      logFile,
      signal: new AbortController().signal,
      say: (line) => console.log(line)
    })
    expect(result.faults).toHaveLength(all.size)
    // CI installs what moves clocks. Where nothing can be mounted `no space` stands for a full disk.
    const means = { ...result.means, clocks: isCI || result.means.clocks }
    expect(new Set(result.faults.map(({ name }) => name))).toEqual(kindsOf(means))
    expect(result.checks.filter(({ mismatches }) => mismatches > 0), `the roles' log is ${logFile}`).toEqual([])
    rmSync(directory, { recursive: true })
  }, RUN_MS_MAX)
})
