/**
 * How far each topic is durable, and so may be read: a file with one slot for each topic. A writer moves the
 * head on after its frame is on disk; readers go no further, though the frames of the next append may already
 * stand there. The file itself is not synced: after a power cut a head may be behind, or gone, and the first
 * process that creates topics or appends finds out by the checksums how far the segment really goes.
 *
 *     u32 segment, u32 bytes in the segment, u32 checksum of the last frame, u32 CRC-32 of these
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

export interface Head {
  segment: number
  /** Where in the segment the last durable frame ends. */
  at: number
  checksum: number
}

const SLOT_BYTES = 16
const CHECKED_BYTES = 12
/** Not 0, for which a slot of zeros might be taken for a head. */
const SEED = 1
/** A slot may be read while it is written. */
const READS_MAX = 8

export class HeadFile {
  readonly #fd: number
  readonly #slot = Buffer.alloc(SLOT_BYTES)

  constructor (path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT)
  }

  /** Undefined where nothing is known. */
  read (topicId: number): Head | undefined {
    for (let reads = 0; reads < READS_MAX; reads++) {
      const bytes = readSync(this.#fd, this.#slot, 0, SLOT_BYTES, topicId * SLOT_BYTES)
      if (bytes < SLOT_BYTES) return undefined
      if (this.#slot.readUInt32BE(CHECKED_BYTES) !== this.#check()) continue
      return {
        segment: this.#slot.readUInt32BE(0),
        at: this.#slot.readUInt32BE(4),
        checksum: this.#slot.readUInt32BE(8)
      }
    }
    return undefined
  }

  write (topicId: number, { segment, at, checksum }: Head): void {
    this.#slot.writeUInt32BE(segment)
    this.#slot.writeUInt32BE(at, 4)
    this.#slot.writeUInt32BE(checksum, 8)
    this.#slot.writeUInt32BE(this.#check(), CHECKED_BYTES)
    writeSync(this.#fd, this.#slot, 0, SLOT_BYTES, topicId * SLOT_BYTES)
  }

  close (): void {
    closeSync(this.#fd)
  }

  #check (): number {
    return crc32(this.#slot.subarray(0, CHECKED_BYTES), SEED)
  }
}

/** The heads of all topics of a log. */
export function headPath (directory: string): string {
  return join(directory, 'heads')
}
