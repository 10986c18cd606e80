import { randomUUID } from 'node:crypto'
import { mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAccessFile, readAccessText } from './access-file.ts'
import { AccessError } from './errors.ts'
import type { AccessFile } from './access-file.ts'

const LOCK_POLL_MS = 25
/** Longer than any change takes: whoever holds the lock for so long has died. */
const LOCK_WAIT_MS_MAX = 5_000
/** For its owner alone: hashes are no secrets, but who has keys is nobody's business. */
const FILE_MODE = 0o600

/**
 * Applies `change` to the file's content and writes the result, durably and at once: a reader sees the old
 * content or the new one, and of two writers one waits for the other. Throws AccessError:
 * `access_file_locked` (retryable), `access_file_unwritable`, or what `change` throws; then the file is as it
 * was.
 */
export async function changeAccessFile (
  path: string, change: (file: AccessFile) => AccessFile
): Promise<AccessFile> {
  try {
    await mkdir(dirname(path), { recursive: true })
    // The file behind a link is replaced, not the link.
    const target = await realpath(path).catch(() => path)
    return await locked(`${target}.lock`, async () => {
      const changed = change(parseAccessFile(await readAccessText(target)))
      const text = `${JSON.stringify(changed, null, 2)}\n`
      // Nothing is written that the roles would refuse to read.
      parseAccessFile(text)
      await replaceFile(target, text)
      return changed
    })
  } catch (error) {
    if (error instanceof AccessError) throw error
    throw new AccessError('access_file_unwritable', `${path} cannot be written`, { cause: error })
  }
}

async function locked<T> (lockPath: string, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + LOCK_WAIT_MS_MAX
  while (!await takeLock(lockPath)) {
    if (performance.now() > deadline) {
      throw new AccessError('access_file_locked', `Another command holds ${lockPath}; remove it if none runs`)
    }
    await delay(LOCK_POLL_MS)
  }
  try {
    return await work()
  } finally {
    await rm(lockPath, { force: true })
  }
}

async function takeLock (lockPath: string): Promise<boolean> {
  try {
    const handle = await open(lockPath, 'wx', FILE_MODE)
    await handle.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function replaceFile (path: string, text: string): Promise<void> {
  const mode = await stat(path).then((stats) => stats.mode & 0o777, () => FILE_MODE)
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Makes the new name durable as well. */
async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
