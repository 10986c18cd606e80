/** One partition in the hands of one group member. */
import { FencedError, LogUnavailableError } from '../event-log.ts'
import { pause } from './pause.ts'
import type { LogRecord, PartitionSession, ReadOptions } from '../event-log.ts'
import type { Commit, GroupStore, Lease } from './group-store.ts'
import type { RecordStore } from './record-store.ts'

export interface EmbeddedSessionOptions {
  lease: Lease
  committed: Commit
  signal: AbortSignal
  records: RecordStore
  groups: GroupStore
  /** How often a waiting read looks for new records: LMDB tells other processes nothing. */
  pollMs: number
}

export class EmbeddedSession implements PartitionSession {
  readonly topic: string
  readonly partition: number
  readonly committed: Commit
  readonly signal: AbortSignal
  readonly #options: EmbeddedSessionOptions

  constructor (options: EmbeddedSessionOptions) {
    this.#options = options
    this.topic = options.lease.topic
    this.partition = options.lease.partition
    this.committed = options.committed
    this.signal = options.signal
  }

  async read (options: ReadOptions): Promise<LogRecord[]> {
    const deadline = performance.now() + options.maxWaitMs
    const fetched: Fetched = { records: [], bytes: 0, full: false }
    for (;;) {
      if (this.signal.aborted) throw new FencedError(`The session of ${this.topic}/${this.partition} is over`)
      this.#fetch(fetched, options)
      const leftMs = deadline - performance.now()
      const enough = fetched.records.length > 0 && fetched.bytes >= options.minBytes
      if (fetched.full || enough || leftMs <= 0) return fetched.records
      await pause(Math.min(this.#options.pollMs, leftMs), this.signal)
    }
  }

  async commit (commit: Commit): Promise<void> {
    await this.#options.groups.commit(this.#options.lease, commit)
  }

  /** Adds what there is after the records fetched so far, within the bounds. */
  #fetch (fetched: Fetched, { offset, maxBytes, maxRecords }: ReadOptions): void {
    const last = fetched.records.at(-1)
    const from = last === undefined ? offset : last.offset + 1
    try {
      for (const record of this.#options.records.records(this.topic, this.partition, from)) {
        const bytes = fetched.bytes + record.value.length
        if (fetched.records.length > 0 && bytes > maxBytes) {
          fetched.full = true
          return
        }
        fetched.records.push(record)
        fetched.bytes = bytes
        if (fetched.records.length >= maxRecords || bytes >= maxBytes) {
          fetched.full = true
          return
        }
      }
    } catch (error) {
      throw new LogUnavailableError('The embedded log could not be read', { cause: error })
    }
  }
}

interface Fetched {
  records: LogRecord[]
  /** Of the values. */
  bytes: number
  /** A bound was reached. */
  full: boolean
}
