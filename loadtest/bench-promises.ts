/** What each promise of delivery costs (promise-variants.ts). Writes promises.json; takes about 20 s. */
import { availableParallelism, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { openEmbeddedLog } from '../eventlog/index.ts'
import { ROOT } from './child-process.ts'
import { BATCH_RECORDS, TOMBSTONES, VARIANTS, expectedErased, fillTopic, runVariant } from './promise-variants.ts'
import { loadConfig, promisesSettings } from './config.ts'
import { describeMachine, describeRevision } from './machine.ts'
import { median } from './percentiles.ts'
import { promisesSection } from './promises-section.ts'
import type { PromiseCost, PromisesResult } from './promises-section.ts'
import type { EventLog } from '../eventlog/index.ts'
import type { Run } from './promise-variants.ts'

const settings = loadConfig(promisesSettings, process.env)
const { BENCH_PROMISE_RECORDS: records, BENCH_ROUNDS: rounds } = settings
const dataFolder = resolve(ROOT, settings.BENCH_DATA_DIR)
await mkdir(dataFolder, { recursive: true })
const directory = await mkdtemp(join(dataFolder, 'promises-'))
const before = {
  startedAt: new Date().toISOString(),
  machine: describeMachine(directory),
  revision: describeRevision(),
  loadPerCoreBefore: (loadavg()[0] as number) / availableParallelism()
}
const startMs = performance.now()
const eventLog = openEmbeddedLog({ directory })
try {
  const costs = await measure(eventLog)
  const result: PromisesResult = {
    ...before,
    seconds: Math.ceil((performance.now() - startMs) / 1_000),
    records,
    recordsPerBatch: BATCH_RECORDS,
    tombstones: TOMBSTONES,
    rounds,
    results: costs
  }
  const results = resolve(ROOT, settings.BENCH_RESULTS_DIR)
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'promises.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  console.log(promisesSection(result))
} finally {
  await eventLog.close()
  await rm(directory, { recursive: true, force: true })
}

async function measure (eventLog: EventLog): Promise<PromiseCost[]> {
  for (const ids of ['SERVER', 'BODY'] as const) await fillTopic(eventLog, ids, records)
  const runs = new Map(VARIANTS.map(({ name }) => [name, [] as Run[]]))
  // In turns, so that whatever else the machine does meets all of them; the first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const variant of VARIANTS) {
      const run = await runVariant(eventLog, variant, { group: `${variant.name} ${round}`, records })
      if (run.erased !== expectedErased(variant, records)) throw new Error(`${variant.name}: ${run.erased} erased`)
      if (round > 0) runs.get(variant.name)?.push(run)
    }
  }
  return [...runs].map(([variant, each]) => ({
    variant,
    recordsPerSecond: median(each.map(({ recordsPerSecond }) => recordsPerSecond)),
    cpuSecondsPerMillion: median(each.map(({ cpuSecondsPerMillion }) => cpuSecondsPerMillion)),
    runs: each
  }))
}
