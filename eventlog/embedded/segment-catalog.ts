/**
 * Which segments a topic has, and at which offsets they begin. Every topic has at least one; all but the
 * newest are sealed and never change. Kept in LMDB, so that rolling to a new segment and deleting old ones
 * happen whole or not at all.
 */
import { BYTES, TOPIC, after, newestSegment, oldestSegment, segmentKey } from './record-keys.ts'
import type { TopicDatabase } from './record-keys.ts'
import type { TopicMeta } from './record-store.ts'

export interface SegmentInfo {
  /** Offset of the first record of each partition that lies in this segment or a later one. */
  begins: number[]
  /** What is known once the segment is sealed. */
  sealed?: SealedSegment
}

export interface SealedSegment {
  /** Where its last frame ends. */
  bytes: number
  /** Arrival of its youngest record, epoch milliseconds; 0 where it has none. */
  newestMs: number
  /** Set where that was in the future: when retention saw it first, epoch milliseconds. */
  seenAheadMs?: number
}

export interface Expiry {
  topicId: number
  nowMs: number
  /** What arrived earlier has expired. */
  beforeMs: number
  /** Segments that are removed at most. */
  most: number
}

export function segmentInfo (
  database: TopicDatabase, topicId: number, segment: number
): SegmentInfo | undefined {
  const stored = database.get(segmentKey(topicId, segment))
  return stored === undefined ? undefined : JSON.parse(stored.toString()) as SegmentInfo
}

/** In a transaction: makes `segment` the one that is written. */
export function addSegment (
  database: TopicDatabase, topicId: number, segment: number, begins: readonly number[]
): void {
  putSegment(database, topicId, segment, { begins: [...begins] })
}

/** In a transaction: seals the newest segment and adds the next one, which begins at `ends`. */
export function rollSegment (
  database: TopicDatabase, topicId: number, sealed: SealedSegment, ends: readonly number[]
): void {
  const segment = newestSegment(database, topicId)
  const { begins } = segmentInfo(database, topicId, segment) as SegmentInfo
  putSegment(database, topicId, segment, { begins, sealed })
  addSegment(database, topicId, segment + 1, ends)
  putSealedBytes(database, sealedBytes(database) + sealed.bytes)
}

/**
 * In a transaction: takes the oldest segments out of the catalog, as long as they hold nothing as young as
 * `beforeMs`; returns them, and whether the catalog changed. A record of the future, which a clock that ran
 * ahead made, counts as arrived when it was first seen to be one: it would else keep all that came after it.
 * Where the clock catches up with it meanwhile, its own time counts again.
 */
export function removeExpired (
  database: TopicDatabase, { topicId, nowMs, beforeMs, most }: Expiry
): { expired: number[], changed: boolean } {
  const expired: number[] = []
  const noted = noteAhead(database, topicId, nowMs)
  for (let segment = oldestSegment(database, topicId); expired.length < most; segment++) {
    const sealed = segmentInfo(database, topicId, segment)?.sealed
    if (sealed === undefined) break
    const { newestMs, seenAheadMs = newestMs } = sealed
    if ((newestMs > nowMs ? seenAheadMs : newestMs) >= beforeMs) break
    database.removeSync(segmentKey(topicId, segment))
    putSealedBytes(database, sealedBytes(database) - sealed.bytes)
    expired.push(segment)
  }
  return { expired, changed: noted || expired.length > 0 }
}

/** Notes of the oldest segments, as long as their records are of the future, since when that is known. */
function noteAhead (database: TopicDatabase, topicId: number, nowMs: number): boolean {
  let noted = false
  for (let segment = oldestSegment(database, topicId); ; segment++) {
    const info = segmentInfo(database, topicId, segment)
    if (info?.sealed === undefined || info.sealed.newestMs <= nowMs) return noted
    if (info.sealed.seenAheadMs !== undefined) continue
    putSegment(database, topicId, segment, { ...info, sealed: { ...info.sealed, seenAheadMs: nowMs } })
    noted = true
  }
}

/** Sum of the frames in all sealed segments. */
export function sealedBytes (database: TopicDatabase): number {
  return database.get(BYTES)?.readDoubleBE(0) ?? 0
}

export function topicMetas (database: TopicDatabase): TopicMeta[] {
  return [...database.getRange({ start: TOPIC, end: after(TOPIC) })]
    .map(({ value }) => JSON.parse(value.toString()) as TopicMeta)
}

function putSegment (database: TopicDatabase, topicId: number, segment: number, info: SegmentInfo): void {
  database.putSync(segmentKey(topicId, segment), Buffer.from(JSON.stringify(info)))
}

function putSealedBytes (database: TopicDatabase, bytes: number): void {
  const value = Buffer.alloc(8)
  value.writeDoubleBE(bytes)
  database.putSync(BYTES, value)
}
