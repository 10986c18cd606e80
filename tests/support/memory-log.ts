import { setTimeout as delay } from 'node:timers/promises'
import { LogUnavailableError } from '../../eventlog/index.ts'
import type { AppendRecord, EventLog, RecordLocation } from '../../eventlog/index.ts'

export interface MemoryLogOptions {
  /** What the n-th append (from 1) throws; undefined lets it pass. */
  failure?: (append: number, records: readonly AppendRecord[]) => Error | undefined
  /** Milliseconds until an append is confirmed. */
  delayMs?: number
}

/** The appending half of an EventLog in memory, with one partition a topic; it records every append. */
export interface MemoryLog extends Pick<EventLog, 'append'> {
  /** The records of every append that was confirmed, in order. */
  batches: Array<{ topic: string, records: readonly AppendRecord[] }>
  /** Every confirmed record, in order. */
  records: () => AppendRecord[]
  /** Holds every append from now on, until it is called again with false. */
  hold: (held: boolean) => void
  /** Appends that were begun. */
  begun: () => number
}

export function createMemoryLog ({ failure, delayMs = 0 }: MemoryLogOptions = {}): MemoryLog {
  const batches: MemoryLog['batches'] = []
  let begun = 0
  let end = 0
  let gate: PromiseWithResolvers<void> | undefined
  return {
    batches,
    records: () => batches.flatMap((batch) => [...batch.records]),
    begun: () => begun,
    hold: (held) => {
      gate?.resolve()
      gate = held ? Promise.withResolvers<void>() : undefined
    },
    append: async (topic, records) => {
      begun += 1
      const error = failure?.(begun, records)
      await gate?.promise
      if (delayMs > 0) await delay(delayMs)
      if (error !== undefined) throw error
      batches.push({ topic, records: [...records] })
      return records.map((): RecordLocation => ({ partition: 0, offset: end++ }))
    }
  }
}

/** Fails the append with this number. */
export function failOn (number: number): NonNullable<MemoryLogOptions['failure']> {
  return (append) => append === number ? new LogUnavailableError('refused by the test') : undefined
}
