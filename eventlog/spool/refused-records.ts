import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRejected } from '../../contract/index.ts'
import { bytesOnDisk } from './bytes-on-disk.ts'
import type { AppendRecord } from '../event-log.ts'

const FOLDER = 'refused'
const NAME_DIGITS = 32
/** Files are removed by hand, and added by other processes: the folder is looked at again so often. */
const LOOK_INTERVAL_MS = 1_000

/**
 * The bytes of records that were accepted and that the log will not take, each a file in the spool's folder.
 * They stay until somebody removes them, and are part of what the spool may hold.
 */
export class RefusedRecords {
  readonly #folder: string
  #lookedAtMs = -Infinity
  #bytes = 0

  constructor (directory: string) {
    this.#folder = join(directory, FOLDER)
  }

  /** On disk; what others than this process did less than a second ago may be missing. */
  get bytes (): number {
    const nowMs = performance.now()
    if (nowMs - this.#lookedAtMs >= LOOK_INTERVAL_MS) {
      this.#bytes = bytesOfFiles(this.#folder)
      this.#lookedAtMs = nowMs
    }
    return this.#bytes
  }

  /**
   * Keeps a record's bytes, whether or not there is room, and returns what the log gets in its place: a
   * record of the same key that names the file, and that the processors dead-letter. May be repeated.
   */
  async keep (
    topic: string, { key, value, timestampMs }: AppendRecord, detail: string
  ): Promise<AppendRecord> {
    await mkdir(this.#folder, { recursive: true })
    const digest = createHash('sha256').update(key).update(value).digest('hex').slice(0, NAME_DIGITS)
    const name = `${topic}-${digest}`
    await writeDurably(join(this.#folder, name), value)
    this.#bytes += bytesOnDisk(value.length)
    const request = `A record of ${value.length} bytes; they are in ${FOLDER}/${name} in the spool of ingest`
    return { key, value: encodeRejected({ detail, request }), timestampMs }
  }
}

function bytesOfFiles (folder: string): number {
  const sizes = unlessGone(() => readdirSync(folder), []).map((name) => {
    return unlessGone(() => statSync(join(folder, name)).size, 0)
  })
  return sizes.reduce((sum, size) => sum + bytesOnDisk(size), 0)
}

function unlessGone<T> (look: () => T, otherwise: T): T {
  try {
    return look()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}

async function writeDurably (path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  const folder = await open(join(path, '..'), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
