import { createHash } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRejected } from '../../contract/index.ts'
import type { AppendRecord } from '../event-log.ts'

const FOLDER = 'refused'
const NAME_DIGITS = 32

/**
 * Keeps the bytes of a record that was accepted and that the log will not take in a file of the spool's
 * folder, and returns what the log gets in its place: a record of the same key that names the file, and that
 * the processors dead-letter. May be repeated.
 */
export async function keepRefused (
  directory: string, topic: string, { key, value, timestampMs }: AppendRecord, detail: string
): Promise<AppendRecord> {
  const folder = join(directory, FOLDER)
  await mkdir(folder, { recursive: true })
  const digest = createHash('sha256').update(key).update(value).digest('hex').slice(0, NAME_DIGITS)
  const name = `${topic}-${digest}`
  await writeDurably(join(folder, name), value)
  const request = `A record of ${value.length} bytes; they are in ${FOLDER}/${name} in the spool of ingest`
  return { key, value: encodeRejected({ detail, request }), timestampMs }
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
