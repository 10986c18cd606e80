/**
 * Keeps the content of the file of keys in memory, up to date. It looks at the file at a fixed pace, and at
 * once where the system reports a change in its folder; the pace alone is enough, also for a mounted Secret
 * whose links are swapped. A file that is broken, unreadable or gone leaves the last good content in force,
 * and is logged and counted once.
 */
import { watch } from 'node:fs'
import { dirname } from 'node:path'
import { parseAccessFile, readAccessText } from './access-file.ts'
import { AccessDirectory } from './directory.ts'
import { AccessError } from './errors.ts'
import type { FSWatcher } from 'node:fs'
import type { AccessLog } from './access-log.ts'
import type { AccessMetrics } from './metrics.ts'

export interface AccessWatcherOptions {
  file: string
  pollMs: number
  log: AccessLog
  metrics: Pick<AccessMetrics, 'fileLoads' | 'fileGood'>
}

export class AccessWatcher {
  readonly #options: AccessWatcherOptions
  #directory: AccessDirectory
  /** What was found when the file was last looked at: its text, good or not, or the code of a fault. */
  #seen: string | undefined
  #reloading: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #watcher: FSWatcher | undefined

  private constructor (options: AccessWatcherOptions, text: string | undefined) {
    this.#options = options
    this.#directory = new AccessDirectory(parseAccessFile(text))
    this.#seen = text
    options.metrics.fileGood.set(1)
  }

  /** Reads the file and keeps watching it; no file means no keys. Throws AccessError where it is broken. */
  static async open (options: AccessWatcherOptions): Promise<AccessWatcher> {
    const watcher = new AccessWatcher(options, await readAccessText(options.file))
    watcher.#start()
    return watcher
  }

  get directory (): AccessDirectory {
    return this.#directory
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    this.#watcher?.close()
    await this.#reloading
  }

  #start (): void {
    const { file, pollMs } = this.#options
    this.#timer = setInterval(() => { this.#look() }, pollMs).unref()
    try {
      this.#watcher = watch(dirname(file), { persistent: false }, () => { this.#look() })
      // Too many watches, a folder that is deleted: the pace goes on.
      this.#watcher.on('error', () => { this.#watcher?.close() })
    } catch {
      this.#watcher = undefined
    }
  }

  #look (): void {
    this.#reloading ??= this.#reload().finally(() => { this.#reloading = undefined })
  }

  async #reload (): Promise<void> {
    const { file } = this.#options
    const found = await readAccessText(file).catch((error: AccessError) => error)
    const seen = found instanceof AccessError ? found.code : found
    if (seen === this.#seen) return
    this.#seen = seen
    try {
      if (found instanceof AccessError) throw found
      if (found === undefined) throw new AccessError('access_file_unreadable', `${file} is gone`)
      this.#take(new AccessDirectory(parseAccessFile(found)))
    } catch (error) {
      this.#refuse(error as AccessError)
    }
  }

  #take (directory: AccessDirectory): void {
    const { file, log, metrics } = this.#options
    this.#directory = directory
    metrics.fileLoads.labels('loaded').inc()
    metrics.fileGood.set(1)
    log.info({ file, keys: directory.keys.length }, 'the keys were loaded anew')
  }

  #refuse (error: AccessError): void {
    const { file, log, metrics } = this.#options
    metrics.fileLoads.labels('refused').inc()
    metrics.fileGood.set(0)
    log.error({ err: error, file }, 'the file of keys is not usable: the last good keys stay in force')
  }
}
