import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'

const run = promisify(execFile)
const BALLAST = Buffer.alloc(1024 * 1024)
/** What frees itself meanwhile is filled again. */
const REFILL_MS = 100

/** A file system of its own (tmpfs, Linux, as root), small enough to be filled. */
export class SmallDisk {
  readonly directory: string

  private constructor (directory: string) {
    this.directory = directory
  }

  /** Rejects where nothing can be mounted here. */
  static async mount (directory: string, bytes: number): Promise<SmallDisk> {
    await mkdir(directory, { recursive: true })
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'tmpfs', directory])
    return new SmallDisk(directory)
  }

  /** Keeps it full to the last page until the signal aborts, then makes room again. */
  async fill (signal: AbortSignal): Promise<void> {
    const file = join(this.directory, 'ballast')
    try {
      while (!signal.aborted) {
        await fillUp(file)
        await delay(REFILL_MS, undefined, { signal }).catch(() => undefined)
      }
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Whoever still has a file open there keeps the file system alive, unseen, until it ends. */
  async unmount (): Promise<void> {
    await run('umount', ['--lazy', this.directory])
  }
}

/** Whether small file systems can be had here. */
export async function canMountDisks (): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-mount-'))
  try {
    await (await SmallDisk.mount(directory, BALLAST.length)).unmount()
    return true
  } catch {
    return false
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function fillUp (file: string): Promise<void> {
  const handle = await open(file, 'a')
  try {
    for (let bytes = BALLAST.length; bytes >= 4096;) {
      try {
        await handle.appendFile(BALLAST.subarray(0, bytes))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        bytes /= 2
      }
    }
  } finally {
    await handle.close()
  }
}
