/**
 * Writes the segments of all topics, from the thread that appends. The write lock is LMDB's: a robust mutex,
 * which the kernel frees when its holder dies. An append takes it with a transaction that is always given up,
 * since it changes nothing in LMDB; only rolling to a new segment and retention commit one.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { ABORT } from 'lmdb'
import { frameBytes } from './segment-frame.ts'
import { headPath, HeadFile } from './head-file.ts'
import { monotonicMs } from './append-message.ts'
import { openDurable } from './environment.ts'
import { oldestSegment } from './record-keys.ts'
import { removeExpired, sealedBytes, topicMetas } from './segment-catalog.ts'
import { SegmentFile, segmentOf, segmentPath } from './segment-file.ts'
import { TopicWriter } from './topic-writer.ts'
import type { RootDatabase } from 'lmdb'
import type { AppendAnswer, AppendRequest, AppendThreadData } from './append-message.ts'

/** Segments of one topic that one retention step deletes. */
const EXPIRE_SEGMENTS_MAX = 64

/** A batch of events. */
const CHECK_BYTES = 2 ** 20

/** A segment that fills slowly is sealed after this part of the retention: it keeps no record much longer. */
const SEGMENTS_PER_RETENTION = 8

export class LogWriter {
  readonly #options: AppendThreadData
  readonly #openSegment: typeof SegmentFile.openToWrite
  readonly #database: RootDatabase<Buffer, Buffer>
  readonly #heads: HeadFile
  readonly #topics = new Map<number, TopicWriter>()

  constructor (
    options: AppendThreadData,
    { openSegment = SegmentFile.openToWrite, openDatabase = openDurable<Buffer, Buffer> } = {}
  ) {
    this.#options = options
    this.#openSegment = openSegment
    mkdirSync(options.directory, { recursive: true })
    this.#database = openDatabase(options.database)
    this.#heads = new HeadFile(headPath(options.directory))
  }

  /**
   * Brings every head up to what is durable, which a power cut may have set back, and deletes the segments
   * that retention took out of the catalog before it was killed.
   */
  recover (): void {
    const { directory } = this.#options
    const files = readdirSync(directory)
    for (const { id } of topicMetas(this.#database)) {
      this.#locked(() => ({ value: this.#topic(id).catchUp(), commit: false }))
      const oldest = oldestSegment(this.#database, id)
      const segments = files.map((file) => segmentOf(file, id)).filter((segment) => segment !== undefined)
      for (const segment of segments) {
        if (segment < oldest) rmSync(segmentPath(directory, id, segment), { force: true })
      }
    }
  }

  /** Stores appends of any topics; the answers come in another order. */
  append (requests: readonly AppendRequest[]): AppendAnswer[] {
    const answers: AppendAnswer[] = []
    for (const [topicId, ofTopic] of Map.groupBy(requests, (request) => request.topicId)) {
      answers.push(...this.#appendToTopic(topicId, ofTopic))
    }
    return answers
  }

  /** Retention of every topic; returns whether more is left to delete. */
  expire (nowMs: number): boolean {
    let more = false
    for (const { id, retentionMs } of topicMetas(this.#database)) {
      const beforeMs = nowMs - retentionMs
      const removed = this.#locked(() => {
        const topic = this.#topic(id)
        topic.catchUp()
        const rolled = topic.rollIfOlder(nowMs - retentionMs / SEGMENTS_PER_RETENTION, nowMs)
        const { expired, changed } = removeExpired(this.#database, {
          topicId: id, nowMs, beforeMs, most: EXPIRE_SEGMENTS_MAX
        })
        return { value: expired, commit: rolled || changed }
      })
      const { directory } = this.#options
      for (const segment of removed) rmSync(segmentPath(directory, id, segment), { force: true })
      more ||= removed.length === EXPIRE_SEGMENTS_MAX
    }
    return more
  }

  async close (): Promise<void> {
    for (const topic of this.#topics.values()) topic.close()
    this.#heads.close()
    await this.#database.close()
  }

  #appendToTopic (topicId: number, requests: readonly AppendRequest[]): AppendAnswer[] {
    try {
      for (;;) {
        const answers = this.#locked(() => this.#tryAppend(topicId, requests))
        if (answers !== undefined) return answers
      }
    } catch (fault) {
      return requests.map(({ id }) => ({ id, refusal: 'fault', fault }))
    }
  }

  /** Undefined where the topic was given a new segment, and it has to be tried again. */
  #tryAppend (
    topicId: number, requests: readonly AppendRequest[]
  ): { value: AppendAnswer[] | undefined, commit: boolean } {
    const topic = this.#topic(topicId)
    topic.catchUp()
    const refused: AppendAnswer[] = []
    const taken: AppendRequest[] = []
    let bytes = this.#bytesInAll()
    for (const request of requests) {
      const bytesAfter = bytes + frameBytes(request.batches.length, request.buffer.length)
      const spare = request.batches.length === 0 ? this.#checkBytes() : 0
      if (monotonicMs() > request.deadlineMs) refused.push({ id: request.id, refusal: 'late' })
      else if (bytesAfter + spare > this.#options.bytesMax) refused.push({ id: request.id, refusal: 'full' })
      else {
        taken.push(request)
        bytes = bytesAfter
      }
    }
    if (taken.length === 0) return { value: refused, commit: false }
    if (!topic.fits(taken)) {
      topic.roll()
      return { value: undefined, commit: true }
    }
    const bases = topic.append(taken)
    const stored = taken.map(({ id }, index) => ({ id, bases: bases[index] as number[] }))
    return { value: [...refused, ...stored], commit: false }
  }

  /** Runs `work` with the write lock held, in a transaction that is committed where it says so. */
  #locked<T> (work: () => { value: T, commit: boolean }): T {
    let outcome: { value: T, commit: boolean } | undefined
    this.#database.transactionSync(() => {
      outcome = work()
      return outcome.commit ? undefined : ABORT
    })
    return (outcome as { value: T }).value
  }

  #topic (topicId: number): TopicWriter {
    const known = this.#topics.get(topicId)
    if (known !== undefined) return known
    const topic = new TopicWriter({
      ...this.#options,
      topicId,
      database: this.#database,
      heads: this.#heads,
      openSegment: this.#openSegment
    })
    this.#topics.set(topicId, topic)
    return topic
  }

  /** Room that a check asks for: a log with room for one last event is full to those who send batches. */
  #checkBytes (): number {
    return Math.min(CHECK_BYTES, this.#options.bytesMax / 16)
  }

  /** The newest segments of other topics as this process last saw them. */
  #bytesInAll (): number {
    let bytes = sealedBytes(this.#database)
    for (const topic of this.#topics.values()) bytes += topic.tailBytes
    return bytes
  }
}
