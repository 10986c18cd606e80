import { FencedError } from '../../eventlog/index.ts'
import { RefusedRowsError } from '../../processors/index.ts'
import type { Row } from '../../contract/index.ts'
import type { LogRecord, PartitionSession } from '../../eventlog/index.ts'
import type { InsertRequest, Sink } from '../../processors/index.ts'

/**
 * One partition of a log with its committed offset and an owner's generation: what outlives a crash. `step`
 * is called before and after each effect and may throw.
 */
export class PartitionDouble {
  readonly topic = 'user_tags'
  readonly partition = 0
  records: LogRecord[] = []
  committed = { offset: 0, metadata: '' }
  generation = 0
  commits: Array<{ offset: number, metadata: string }> = []

  append (value: Buffer, timestampMs = 1_000_000 + this.records.length): void {
    this.records.push({ offset: this.records.length, key: Buffer.from('k'), value, timestampMs })
  }

  /**
   * A new owner; every earlier one is fenced. Its signal aborts when it has read to the end with nothing
   * left.
   */
  open (step: (name: string) => void = () => {}): PartitionSession {
    const generation = ++this.generation
    const controller = new AbortController()
    return {
      topic: this.topic,
      partition: this.partition,
      committed: { ...this.committed },
      signal: controller.signal,
      read: async ({ offset, maxRecords }) => {
        step('read')
        const found = this.records.filter((record) => record.offset >= offset).slice(0, maxRecords)
        if (found.length === 0) controller.abort()
        return found
      },
      commit: async (commit) => {
        step('before commit')
        if (generation !== this.generation) throw new FencedError('another owner')
        this.committed = { ...commit }
        this.commits.push({ ...commit })
        step('after commit')
      }
    }
  }
}

/** Tables that drop a repeated token, and refuse rows that `refuses` picks, as a whole insert. */
export class SinkDouble implements Sink {
  readonly tables = new Map<string, Row[]>()
  readonly tokens = new Set<string>()
  refuses: (row: Row) => boolean = () => false
  step: (name: string) => void = () => {}

  async insert ({ table, rows, token }: InsertRequest): Promise<void> {
    this.step(`before insert ${table}`)
    if (rows.some(this.refuses)) throw new RefusedRowsError('a row is refused')
    if (!this.tokens.has(`${table} ${token}`)) {
      this.tokens.add(`${table} ${token}`)
      this.tables.set(table, [...this.rows(table), ...rows])
    }
    this.step(`after insert ${table}`)
  }

  rows (table: string): Row[] {
    return this.tables.get(table) ?? []
  }
}
