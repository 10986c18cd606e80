/**
 * Keys of the environment of topics, big-endian so that they sort by number:
 *
 *     'topic' name                 -> TopicMeta as JSON
 *     's' u32 topic, u32 segment   -> SegmentInfo as JSON
 *     'bytes'                      -> f64 sum of the frames in all sealed segments
 */
import type { Database } from 'lmdb'

export type TopicDatabase = Database<Buffer, Buffer>

export const TOPIC = Buffer.from('topic')
export const BYTES = Buffer.from('bytes')

const SEGMENT_MAX = 2 ** 32 - 1
const SEGMENT_KEY_BYTES = 9
const SEGMENT_PREFIX_BYTES = 5

export function topicKey (name: string): Buffer {
  return Buffer.concat([TOPIC, Buffer.from(name)])
}

export function segmentKey (topicId: number, segment: number): Buffer {
  const key = Buffer.alloc(SEGMENT_KEY_BYTES)
  key.write('s', 'latin1')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(segment, SEGMENT_PREFIX_BYTES)
  return key
}

/** The oldest segment of a topic that is left. */
export function oldestSegment (database: TopicDatabase, topicId: number): number {
  return firstOf(database.getKeys({ start: segmentKey(topicId, 0), limit: 1 }), topicId)
}

/** The segment of a topic that is written. */
export function newestSegment (database: TopicDatabase, topicId: number): number {
  const start = segmentKey(topicId, SEGMENT_MAX)
  return firstOf(database.getKeys({ start, limit: 1, reverse: true }), topicId)
}

/** The smallest key after all keys that begin with `prefix`, none of which goes on with 0xff. */
export function after (prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0xff])])
}

function firstOf (keys: Iterable<Buffer>, topicId: number): number {
  const [key] = keys
  if (key?.length !== SEGMENT_KEY_BYTES || key.readUInt32BE(1) !== topicId) {
    throw new Error(`Topic ${topicId} has no segment`)
  }
  return key.readUInt32BE(SEGMENT_PREFIX_BYTES)
}
