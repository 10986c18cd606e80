/**
 * Appends to one topic. Everything here happens with the write lock held, so there is one writer at a time;
 * what others wrote since is read first.
 */
import { frameBytes, frameHeader } from './segment-frame.ts'
import { newestSegment } from './record-keys.ts'
import { rollSegment, segmentInfo } from './segment-catalog.ts'
import { segmentPath } from './segment-file.ts'
import { SegmentTail } from './segment-tail.ts'
import type { Append } from './append-message.ts'
import type { HeadFile } from './head-file.ts'
import type { SegmentFile } from './segment-file.ts'
import type { SegmentInfo } from './segment-catalog.ts'
import type { TopicDatabase } from './record-keys.ts'

export interface TopicWriterOptions {
  topicId: number
  database: TopicDatabase
  heads: HeadFile
  /** Of the segments. */
  directory: string
  /** A segment that would grow beyond it is sealed; one append is never split. */
  segmentBytes: number
  openSegment: typeof SegmentFile.openToWrite
}

/** What is written in advance at once: a second's worth of events at full speed. */
const EXTENT_BYTES = 2 * 2 ** 20

export class TopicWriter {
  readonly #options: TopicWriterOptions
  #tail: SegmentTail | undefined
  #file: SegmentFile | undefined
  #recovered = false
  /** Number of the segment that the disk failed to write last. */
  #failed: number | undefined

  constructor (options: TopicWriterOptions) {
    this.#options = options
  }

  /** Bytes of the frames in the newest segment. */
  get tailBytes (): number {
    return this.#tail?.at ?? 0
  }

  /** Knows all that is durable. Call it first whenever the lock was taken. */
  catchUp (): void {
    const { topicId, database, heads, directory, segmentBytes, openSegment } = this.#options
    const segment = newestSegment(database, topicId)
    if (this.#tail?.segment !== segment) {
      this.#file?.close()
      this.#file = undefined
      this.#tail = new SegmentTail(segment, (segmentInfo(database, topicId, segment) as SegmentInfo).begins)
    }
    const tail = this.#tail
    this.#file ??= openSegment(segmentPath(directory, topicId, segment), Math.min(EXTENT_BYTES, segmentBytes))
    const head = heads.read(topicId)
    if (head?.segment === segment) tail.follow(this.#file, head.at)
    if (!this.#recovered || head === undefined) this.#recover(tail, this.#file)
  }

  /** May this be appended to the newest segment? If not, roll first. */
  fits (appends: readonly Append[]): boolean {
    if (this.#failed !== undefined && this.#failed === this.#tail?.segment) return false
    return this.tailBytes === 0 || this.tailBytes + totalBytes(appends) <= this.#options.segmentBytes
  }

  /** In a transaction: seals the newest segment. */
  roll (): void {
    const { topicId, database } = this.#options
    const { at: bytes, newestMs, ends } = this.#tail as SegmentTail
    rollSegment(database, topicId, { bytes, newestMs }, ends)
    this.#tail = undefined
  }

  /**
   * In a transaction: seals the newest segment if it holds something older, or only records of the future;
   * returns whether it did.
   */
  rollIfOlder (thanMs: number, nowMs: number): boolean {
    const { oldestMs } = this.#tail as SegmentTail
    const rolls = oldestMs < thanMs || (oldestMs > nowMs && oldestMs !== Infinity)
    if (rolls) this.roll()
    return rolls
  }

  /**
   * One write for all of them. Returns the base offsets of each one's batches; they are durable, and readers
   * see them. Throws what the file system throws: then nobody sees them, and the next append takes their
   * place; only where the process ends before that may the next one find some of them whole, and keep them.
   * After an error of the disk itself (EIO) what it has at that place is unknown: the segment is sealed where
   * its last durable frame ends, and the next append begins a new one.
   */
  append (appends: readonly Append[]): number[][] {
    const tail = this.#tail as SegmentTail
    const ends = [...tail.ends]
    const parts: Uint8Array[] = []
    let { at, checksum } = tail
    const bases = appends.map(({ batches, buffer }) => {
      const described = batches.map(({ partition, records, start, end }) => {
        const base = ends[partition] as number
        ends[partition] = base + records
        return { partition, records, bytes: end - start, base }
      })
      const frame = frameHeader(described, buffer, checksum)
      checksum = frame.checksum
      at += frame.header.length + buffer.length
      parts.push(frame.header, buffer)
      return described.map(({ base }) => base)
    })
    const { topicId, heads } = this.#options
    this.#write(parts, tail.at)
    heads.write(topicId, { segment: tail.segment, at, checksum })
    return bases
  }

  close (): void {
    this.#file?.close()
  }

  #write (parts: Uint8Array[], at: number): void {
    try {
      (this.#file as SegmentFile).write(parts, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EIO') this.#failed = this.#tail?.segment
      throw error
    }
  }

  /**
   * The head may be behind what is durable (head-file.ts), and whole frames behind it may not be durable yet,
   * where their writer was killed: they become durable, then visible. Once a process is enough: while one
   * that writes runs, heads are not lost.
   */
  #recover (tail: SegmentTail, file: SegmentFile): void {
    const { topicId, heads } = this.#options
    const known = tail.at
    tail.followAll(file)
    try {
      if (tail.at > known) {
        file.rewrite(known, tail.at)
        heads.write(topicId, { segment: tail.segment, at: tail.at, checksum: tail.checksum })
      }
    } catch (error) {
      // The next try begins at the head again.
      this.#tail = undefined
      throw error
    }
    this.#recovered = true
  }
}

function totalBytes (appends: readonly Append[]): number {
  return appends.reduce((sum, { batches, buffer }) => sum + frameBytes(batches.length, buffer.length), 0)
}
