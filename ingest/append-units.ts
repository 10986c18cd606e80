import type { AppendRecord } from '../eventlog/index.ts'
import type { IngestConfig } from './config.ts'

/** What a record weighs beside its key and value, in the log's framing and in memory. */
const RECORD_OVERHEAD_BYTES = 64

/** Records that go into one append together. */
export interface AppendUnit {
  records: readonly AppendRecord[]
  bytes: number
}

/**
 * Cuts records, in order, into as few units as one append's limits allow. Undefined where one record alone is
 * larger than an append may be.
 */
export function cutUnits (
  records: readonly AppendRecord[], limits: Pick<IngestConfig, 'batchRecordsMax' | 'batchBytesMax'>
): AppendUnit[] | undefined {
  const units: AppendUnit[] = []
  let start = 0
  let unitBytes = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as AppendRecord
    const bytes = record.key.length + record.value.length + RECORD_OVERHEAD_BYTES
    if (bytes > limits.batchBytesMax) return undefined
    if (index - start === limits.batchRecordsMax || unitBytes + bytes > limits.batchBytesMax) {
      units.push({ records: records.slice(start, index), bytes: unitBytes })
      start = index
      unitBytes = 0
    }
    unitBytes += bytes
  }
  units.push({ records: start === 0 ? records : records.slice(start), bytes: unitBytes })
  return units
}
