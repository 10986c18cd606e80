/** Reads the durable records of one topic; writes nothing, and never waits for a writer. */
import { decodeBatch } from './record-batch.ts'
import { newestSegment, oldestSegment } from './record-keys.ts'
import { segmentInfo } from './segment-catalog.ts'
import { SegmentFile, segmentPath } from './segment-file.ts'
import { SegmentIndex } from './segment-index.ts'
import { SegmentTail } from './segment-tail.ts'
import type { HeadFile } from './head-file.ts'
import type { LogRecord, PartitionOffsets } from '../event-log.ts'
import type { SegmentInfo } from './segment-catalog.ts'
import type { TopicDatabase } from './record-keys.ts'

export interface TopicReaderOptions {
  topicId: number
  /** Lets what follows see everything that is committed now. */
  fresh: () => TopicDatabase
  heads: HeadFile
  /** Of the segments. */
  directory: string
}

/** Segments that are kept open with their index: consumers read one after the other. */
const OPEN_SEGMENTS_MAX = 8

interface OpenSegment {
  file: SegmentFile
  tail: SegmentTail
  index: SegmentIndex
}

export class TopicReader {
  readonly #options: TopicReaderOptions
  /** Least recently used first. */
  readonly #open = new Map<number, OpenSegment>()
  readonly #begins = new Map<number, readonly number[]>()
  #knownOldest = 0

  constructor (options: TopicReaderOptions) {
    this.#options = options
  }

  offsets (): PartitionOffsets[] {
    const database = this.#options.fresh()
    const begins = this.#beginsOf(database, this.#oldest(database))
    const ends = this.#ends(database)
    return begins.map((begin, partition) => ({ partition, begin, end: ends[partition] as number }))
  }

  /** The records of a partition from `offset` on, in order; ends at the end of the partition. */
  * records (partition: number, offset: number): Generator<LogRecord> {
    const { fresh, topicId } = this.#options
    const database = fresh()
    if (offset >= (this.#ends(database)[partition] as number)) return
    const newest = newestSegment(database, topicId)
    const first = this.#segmentOf(database, partition, offset, this.#oldest(database), newest)
    for (let segment = first; segment <= newest; segment++) {
      const open = this.#opened(database, segment)
      // Retention has deleted it meanwhile.
      if (open === undefined) continue
      for (const { base, at, bytes } of open.index.from(partition, offset)) {
        yield * decodeBatch(open.file.read(at, at + bytes), base, offset)
      }
    }
  }

  close (): void {
    for (const { file } of this.#open.values()) file.close()
    this.#open.clear()
  }

  /** The oldest segment that is left; forgets those before it, whose files would else stay on the disk. */
  #oldest (database: TopicDatabase): number {
    const oldest = oldestSegment(database, this.#options.topicId)
    if (oldest === this.#knownOldest) return oldest
    this.#knownOldest = oldest
    for (const segment of this.#begins.keys()) if (segment < oldest) this.#begins.delete(segment)
    for (const [segment, { file }] of this.#open) {
      if (segment >= oldest) continue
      file.close()
      this.#open.delete(segment)
    }
    return oldest
  }

  #ends (database: TopicDatabase): readonly number[] {
    const segment = newestSegment(database, this.#options.topicId)
    return this.#opened(database, segment)?.tail.ends ?? this.#beginsOf(database, segment)
  }

  /** The last segment that begins at or before the offset, or the first one. */
  #segmentOf (
    database: TopicDatabase, partition: number, offset: number, oldest: number, newest: number
  ): number {
    let low = oldest
    let high = newest
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#beginsOf(database, middle)[partition] as number) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  #beginsOf (database: TopicDatabase, segment: number): readonly number[] {
    const known = this.#begins.get(segment)
    if (known !== undefined) return known
    const { begins } = segmentInfo(database, this.#options.topicId, segment) as SegmentInfo
    this.#begins.set(segment, begins)
    return begins
  }

  /** A segment with the index of all that is durable in it; undefined where there is no file. */
  #opened (database: TopicDatabase, segment: number): OpenSegment | undefined {
    const { topicId, heads } = this.#options
    const open = this.#open.get(segment) ?? this.#openSegment(database, segment)
    if (open === undefined) return undefined
    this.#open.delete(segment)
    this.#open.set(segment, open)
    const sealed = segmentInfo(database, topicId, segment)?.sealed
    const head = sealed === undefined ? heads.read(topicId) : undefined
    if (sealed !== undefined) open.tail.follow(open.file, sealed.bytes)
    else if (head?.segment === segment) open.tail.follow(open.file, head.at)
    return open
  }

  #openSegment (database: TopicDatabase, segment: number): OpenSegment | undefined {
    const { directory, topicId } = this.#options
    const file = SegmentFile.openToRead(segmentPath(directory, topicId, segment))
    if (file === undefined) return undefined
    const index = new SegmentIndex()
    const begins = this.#beginsOf(database, segment)
    const tail = new SegmentTail(segment, begins, (batch, at) => index.add(batch, at))
    for (const [oldest, { file: unused }] of this.#open) {
      if (this.#open.size < OPEN_SEGMENTS_MAX) break
      unused.close()
      this.#open.delete(oldest)
    }
    return { file, tail, index }
  }
}
