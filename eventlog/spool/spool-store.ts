/**
 * Appends that wait on the local disk, oldest first, each topic by itself. What `put` resolved for is durable
 * and stays until it is removed, whatever dies. Several processes may share a directory; what one of them
 * reads another may have forwarded already, which makes copies and loses nothing.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { LogUnavailableError } from '../event-log.ts'
import { batchBytes, decodeBatch, encodeBatch } from '../embedded/record-batch.ts'
import { openEnvironment } from '../embedded/environment.ts'
import { bytesOnDisk } from './bytes-on-disk.ts'
import { RefusedRecords } from './refused-records.ts'
import type { AppendRecord } from '../event-log.ts'
import type { Environment } from '../embedded/environment.ts'

const MAP_BYTES_MIN = 64 * 1024 ** 2
const WRITE_MS_MAX = 2_000

/** Topic, and number of the entry within it; `COUNTS` in place of a number. */
type EntryKey = [topic: string, sequence: number]

/** Where a topic's counts stand, and under `ALL` those of all topics. */
const COUNTS = -1
const ALL = ''

/** What waits of one topic. */
export interface SpoolContent {
  records: number
  bytes: number
}

interface Counts extends SpoolContent {
  /** Number of the next entry: none is ever used again. */
  next: number
}

/** The oldest records of a topic, and the entries that hold them. */
export interface SpooledRecords {
  sequences: number[]
  records: AppendRecord[]
}

export class SpoolStore {
  /** What could not be forwarded; it takes room of what waits. */
  readonly refused: RefusedRecords
  readonly #environment: Environment<Buffer, EntryKey>
  readonly #bytesMax: number

  constructor ({ directory, bytesMax }: { directory: string, bytesMax: number }) {
    mkdirSync(directory, { recursive: true })
    this.#bytesMax = bytesMax
    this.refused = new RefusedRecords(directory)
    this.#environment = openEnvironment<Buffer, EntryKey>({
      path: spoolPath(directory),
      encoding: 'binary',
      mapSize: Math.max(MAP_BYTES_MIN, 2 * bytesMax),
      writeTimeoutMs: WRITE_MS_MAX
    })
  }

  /** Topics of which something waits. */
  get topics (): string[] {
    const database = this.#environment.fresh()
    const found: string[] = []
    let start: EntryKey = [ALL, 0]
    while (true) {
      const [key] = database.getKeys({ start, limit: 1 })
      if (key === undefined) return found.filter((topic) => !this.isEmpty(topic))
      found.push(key[0])
      start = [key[0], Number.MAX_SAFE_INTEGER]
    }
  }

  get isFull (): boolean {
    return this.content(ALL).bytes + this.refused.bytes >= this.#bytesMax
  }

  /** Bytes are those on disk. */
  content (topic: string): SpoolContent {
    this.#environment.fresh()
    const { records, bytes } = this.#counts(topic)
    return { records, bytes }
  }

  isEmpty (topic: string): boolean {
    return this.content(topic).records === 0
  }

  /**
   * Resolves when the records are durable, behind everything of the topic that was put before. Throws
   * LogUnavailableError where they do not fit any more, or the disk does not take them.
   */
  async put (topic: string, records: readonly AppendRecord[]): Promise<void> {
    const { database, write } = this.#environment
    const value = Buffer.allocUnsafe(batchBytes(records))
    encodeBatch(records, value, 0)
    await write(() => {
      const kept = this.#counts(ALL).bytes + this.refused.bytes
      if (kept + bytesOnDisk(value.length) > this.#bytesMax) {
        throw new LogUnavailableError('The spool is full')
      }
      const { next } = this.#counts(topic)
      database.put([topic, next], value)
      this.#change(topic, { records: records.length, bytes: bytesOnDisk(value.length), next: 1 })
    })
  }

  /** The oldest entries of a topic, as many as fit the bounds, and at least one if there is any. */
  oldest (
    topic: string, { recordsMax, bytesMax }: { recordsMax: number, bytesMax: number }
  ): SpooledRecords | undefined {
    const range = { start: [topic, 0] as EntryKey, end: [topic, Number.MAX_SAFE_INTEGER] as EntryKey }
    const sequences: number[] = []
    const records: AppendRecord[] = []
    let bytes = 0
    for (const { key: [, sequence], value } of this.#environment.fresh().getRange(range)) {
      bytes += value.length
      const full = records.length + recordsOf(value) > recordsMax || bytes > bytesMax
      if (sequences.length > 0 && full) break
      sequences.push(sequence)
      records.push(...decodeBatch(value, 0, 0))
    }
    return sequences.length === 0 ? undefined : { sequences, records }
  }

  /** Removes entries of a topic; those that another process has removed are left alone. */
  async remove (topic: string, sequences: readonly number[]): Promise<void> {
    const { database, write } = this.#environment
    await write(() => {
      for (const sequence of sequences) {
        const value = database.get([topic, sequence])
        if (value === undefined) continue
        database.remove([topic, sequence])
        this.#change(topic, { records: -recordsOf(value), bytes: -bytesOnDisk(value.length), next: 0 })
      }
    })
  }

  async close (): Promise<void> {
    await this.#environment.close()
  }

  #counts (topic: string): Counts {
    const kept = this.#environment.database.get([topic, COUNTS])
    return kept === undefined ? { records: 0, bytes: 0, next: 0 } : JSON.parse(kept.toString()) as Counts
  }

  /** In a transaction: changes the counts of a topic, and of all. */
  #change (topic: string, by: Counts): void {
    for (const name of [topic, ALL]) {
      const { records, bytes, next } = this.#counts(name)
      const counts: Counts = { records: records + by.records, bytes: bytes + by.bytes, next: next + by.next }
      this.#environment.database.put([name, COUNTS], Buffer.from(JSON.stringify(counts)))
    }
  }
}

/** The spool's file in its folder. */
export function spoolPath (directory: string): string {
  return join(directory, 'spool.mdb')
}

function recordsOf (batch: Buffer): number {
  return batch.readUInt32BE(1)
}
