/**
 * Appends that wait on the local disk, oldest first, each topic by itself. What `put` resolved for is durable
 * and stays until it is removed, whatever dies. One process at a time has a directory open.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { LogUnavailableError } from '../event-log.ts'
import { batchBytes, decodeBatch, encodeBatch } from '../embedded/record-batch.ts'
import { openEnvironment } from '../embedded/environment.ts'
import type { AppendRecord } from '../event-log.ts'
import type { Environment } from '../embedded/environment.ts'

const MAP_BYTES_MIN = 64 * 1024 ** 2
/** An entry lies on pages of its own where it is larger than half a page. */
const PAGE_BYTES = 4096
const WRITE_MS_MAX = 2_000

/** Topic, and number of the entry within it. */
type EntryKey = [topic: string, sequence: number]

/** What waits of one topic. */
export interface SpoolContent {
  records: number
  bytes: number
}

/** The oldest records of a topic; `sequence` is the entry that holds the last of them. */
export interface SpooledRecords {
  sequence: number
  records: AppendRecord[]
}

export class SpoolStore {
  readonly #environment: Environment<Buffer, EntryKey>
  readonly #bytesMax: number
  readonly #contents = new Map<string, SpoolContent>()
  #bytes = 0
  #next = 0

  constructor ({ directory, bytesMax }: { directory: string, bytesMax: number }) {
    mkdirSync(directory, { recursive: true })
    this.#bytesMax = bytesMax
    this.#environment = openEnvironment<Buffer, EntryKey>({
      path: join(directory, 'spool.mdb'),
      encoding: 'binary',
      mapSize: Math.max(MAP_BYTES_MIN, 2 * bytesMax),
      writeTimeoutMs: WRITE_MS_MAX
    })
    for (const { key: [topic, sequence], value } of this.#environment.database.getRange()) {
      this.#count(topic, recordsOf(value), value.length)
      this.#next = Math.max(this.#next, sequence + 1)
    }
  }

  /** Topics of which something waits. */
  get topics (): string[] {
    return [...this.#contents.keys()].filter((topic) => !this.isEmpty(topic))
  }

  get isFull (): boolean {
    return this.#bytes >= this.#bytesMax
  }

  content (topic: string): SpoolContent {
    return this.#contents.get(topic) ?? { records: 0, bytes: 0 }
  }

  isEmpty (topic: string): boolean {
    return this.content(topic).records === 0
  }

  /**
   * Resolves when the records are durable, behind everything of the topic that was put before. Throws
   * LogUnavailableError where they do not fit any more, or the disk does not take them.
   */
  async put (topic: string, records: readonly AppendRecord[]): Promise<void> {
    const bytes = batchBytes(records)
    if (this.#bytes + onDisk(bytes) > this.#bytesMax) throw new LogUnavailableError('The spool is full')
    const value = Buffer.allocUnsafe(bytes)
    encodeBatch(records, value, 0)
    const key: EntryKey = [topic, this.#next++]
    this.#count(topic, records.length, bytes)
    try {
      await this.#environment.write(() => { this.#environment.database.put(key, value) })
    } catch (error) {
      this.#count(topic, -records.length, -bytes)
      throw error
    }
  }

  /** The oldest entries of a topic, as many as fit the bounds, and at least one if there is any. */
  oldest (
    topic: string, { recordsMax, bytesMax }: { recordsMax: number, bytesMax: number }
  ): SpooledRecords | undefined {
    let found: SpooledRecords | undefined
    let bytes = 0
    for (const { key: [, sequence], value } of this.#entries(topic)) {
      const count = recordsOf(value)
      bytes += value.length
      if (found !== undefined && (found.records.length + count > recordsMax || bytes > bytesMax)) break
      found = { sequence, records: [...found?.records ?? [], ...decodeBatch(value, 0, 0)] }
    }
    return found
  }

  /** Removes the entries of a topic up to and with `sequence`. */
  async remove (topic: string, sequence: number): Promise<void> {
    const { database } = this.#environment
    const removed: Array<{ key: EntryKey, records: number, bytes: number }> = []
    for (const { key, value } of this.#entries(topic)) {
      if (key[1] > sequence) break
      removed.push({ key, records: recordsOf(value), bytes: value.length })
    }
    await this.#environment.write(() => { for (const { key } of removed) database.remove(key) })
    for (const { records, bytes } of removed) this.#count(topic, -records, -bytes)
  }

  async close (): Promise<void> {
    await this.#environment.close()
  }

  #entries (topic: string) {
    return this.#environment.fresh().getRange({ start: [topic, 0], end: [topic, Number.MAX_SAFE_INTEGER] })
  }

  #count (topic: string, records: number, bytes: number): void {
    const content = this.content(topic)
    this.#contents.set(topic, { records: content.records + records, bytes: content.bytes + bytes })
    this.#bytes += Math.sign(bytes) * onDisk(Math.abs(bytes))
  }
}

function onDisk (bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
}

function recordsOf (batch: Buffer): number {
  return batch.readUInt32BE(1)
}
