import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const KEY_BYTES = 32
const KEY_TEXT = /^[0-9a-f]{64}$/

/** The file of the key holds something else. */
export class ErasureKeyFileError extends Error {
  readonly code = 'erasure_key_file_broken'
  readonly retryable = false
  override readonly name = 'ErasureKeyFileError'
}

/**
 * The key in the file `erasure.key` of a folder, made where there is none, readable by its owner alone.
 * Several processes may call at once: all get the same key. Throws ErasureKeyFileError, or the file system's
 * error.
 */
export function keyInFolder (directory: string): string {
  const file = join(directory, 'erasure.key')
  mkdirSync(directory, { recursive: true })
  const next = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  try {
    return readKey(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  writeFileSync(next, randomBytes(KEY_BYTES).toString('hex'), { mode: 0o600, flush: true })
  try {
    // A link never replaces a file: of several processes one is first, and the others read its key.
    linkSync(next, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(next, { force: true })
  }
  return readKey(file)
}

function readKey (file: string): string {
  const text = readFileSync(file, 'utf8').trim()
  if (!KEY_TEXT.test(text)) throw new ErasureKeyFileError(`${file} is no key of erasure`)
  return text
}
