import { circumstances, down, list, table, up } from './markdown.ts'
import type { Circumstances } from './markdown.ts'
import type { Run } from './promise-variants.ts'

/** Medians of the rounds. */
export interface PromiseCost extends Omit<Run, 'erased'> {
  variant: string
  runs: Run[]
}

/** What loadtest/results/promises.json holds. */
export interface PromisesResult extends Circumstances {
  /** Of the whole bench. */
  seconds: number
  records: number
  recordsPerBatch: number
  tombstones: number
  rounds: number
  results: PromiseCost[]
}

/** The section of docs/delivery.md, as Markdown. No figure is rounded in our favour. */
export function promisesSection (result: PromisesResult): string {
  const { records, recordsPerBatch, tombstones, rounds, seconds, results } = result
  return [
    `\`make bench-promises\` (${seconds} s): one partition of the embedded log, ${records} records in batches of ` +
      `${recordsPerBatch}, read, decoded, sorted and made into JSON, which is then dropped; the median of ${rounds} ` +
      `rounds, from [promises.json](../loadtest/results/promises.json). ${tombstones} tombstones are in memory; they ` +
      'are older than the records, as in live traffic, unless it says newer, as in a replay.',
    table(['', 'records/s', 'CPU, µs a record'], results.map((cost) => {
      return [cost.variant, down(cost.recordsPerSecond, 0), up(cost.cpuSecondsPerMillion, 1)]
    })),
    list(circumstances(result))
  ].join('\n\n')
}
