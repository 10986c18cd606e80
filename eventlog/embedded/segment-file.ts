/**
 * One segment on disk: frames one after the other, then zeros that were written in advance. A write into
 * those is durable when it returns (O_DSYNC) and changes nothing but data, so it needs no commit of the file
 * system's journal. Only holders of the write lock write.
 */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writevSync } from 'node:fs'
import { dirname, join } from 'node:path'

export class SegmentFile {
  readonly #fd: number
  /** By how much the file grows at once. */
  readonly #extentBytes: number
  #bytes: number

  private constructor (fd: number, extentBytes: number) {
    this.#fd = fd
    this.#extentBytes = extentBytes
    this.#bytes = fstatSync(fd).size
  }

  /** Creates the file where it does not exist, its name durable. */
  static openToWrite (path: string, extentBytes: number, syncName = syncDirectory): SegmentFile {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC)
    try {
      const file = new SegmentFile(fd, extentBytes)
      if (file.#bytes === 0) syncName(dirname(path))
      return file
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** Undefined where there is no such file: nothing was written yet, or retention has deleted it. */
  static openToRead (path: string): SegmentFile | undefined {
    try {
      return new SegmentFile(openSync(path, constants.O_RDONLY), 0)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** What is there of `[start, end)`. */
  read (start: number, end: number): Buffer {
    const buffer = Buffer.allocUnsafe(end - start)
    let read = 0
    while (read < buffer.length) {
      const more = readSync(this.#fd, buffer, read, buffer.length - read, start + read)
      if (more === 0) break
      read += more
    }
    return buffer.subarray(0, read)
  }

  /** Bytes of the file now, the zeros too. */
  size (): number {
    this.#bytes = fstatSync(this.#fd).size
    return this.#bytes
  }

  /** Durable when it returns; after an error any part of it may be there. */
  write (parts: Uint8Array[], at: number): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    this.#extendTo(at + bytes)
    let left = parts
    for (let written = 0; written < bytes;) {
      const now = writevSync(this.#fd, left, at + written)
      written += now
      left = written === bytes ? [] : [Buffer.concat(left).subarray(now)]
    }
  }

  /**
   * Makes durable what is there of `[start, end)`, by writing it once more: after an error of an earlier sync
   * the kernel holds it for clean, and another sync would succeed though the disk does not have it.
   */
  rewrite (start: number, end: number): void {
    this.write([this.read(start, end)], start)
  }

  close (): void {
    closeSync(this.#fd)
  }

  #extendTo (bytes: number): void {
    // Another writer may have extended the file, and written into it, since this one last looked.
    if (bytes <= this.#bytes || bytes <= this.size()) return
    writevSync(this.#fd, [Buffer.alloc(bytes - this.#bytes + this.#extentBytes)], this.#bytes)
  }
}

export function segmentPath (directory: string, topicId: number, segment: number): string {
  return join(directory, `${topicId}-${segment}.segment`)
}

/** The number of a topic's segment by the name of its file; undefined for any other file. */
export function segmentOf (file: string, topicId: number): number | undefined {
  const [, topic, segment] = /^(\d+)-(\d+)\.segment$/.exec(file) ?? []
  return Number(topic) === topicId ? Number(segment) : undefined
}

function syncDirectory (path: string): void {
  const fd = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
