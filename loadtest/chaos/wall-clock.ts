import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LIBRARIES = '/usr/lib'

/** Debian's libfaketime, for programs with threads; undefined where it is not installed. */
export function findFaketime (): string | undefined {
  const found = readdirSync(LIBRARIES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.endsWith('-linux-gnu'))
    .map(({ name }) => join(LIBRARIES, name, 'faketime'))
    .flatMap((directory) => filesOf(directory).map((name) => join(directory, name)))
  return found.find((file) => file.endsWith('libfaketimeMT.so.1'))
}

/** The wall clock of one process, which can be moved while it runs; its monotonic clock stays right. */
export class WallClock {
  /** For the process. */
  readonly env: Readonly<Record<string, string>>
  readonly #file: string

  constructor (library: string, file: string) {
    this.#file = file
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      // Versions differ in the name.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
      // Times of files stay true.
      NO_FAKE_STAT: '1'
    }
    this.move(0)
  }

  /** The process sees it within a second. */
  move (seconds: number): void {
    // Whole or not at all, whenever the process reads it.
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`)
    renameSync(`${this.#file}.new`, this.#file)
  }
}

function filesOf (directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
