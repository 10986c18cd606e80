import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { ROOT } from './child-process.ts'

/** Where figures come from, so that they can be compared with others. */
export interface Machine {
  cpuModel: string
  cores: number
  memoryBytes: number
  kernel: string
  node: string
  /** Of the folder that the data was written to. */
  fileSystem: string
}

export interface Revision {
  commit: string
  /** Whether the tree differs from the commit, results of load tests aside. */
  changed: boolean
}

/** File systems by the number that statfs(2) gives them. */
const FILE_SYSTEMS: Record<number, string> = {
  0xef53: 'ext4', 0x58465342: 'xfs', 0x9123683e: 'btrfs', 0x01021994: 'tmpfs', 0x794c7630: 'overlayfs', 0x2fc12fc1: 'zfs'
}

export function describeMachine (dataDirectory: string): Machine {
  const number = statfsSync(dataDirectory).type
  return {
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    fileSystem: FILE_SYSTEMS[number] ?? `0x${number.toString(16)}`
  }
}

/** The state of the repository; `unknown` where there is none. */
export function describeRevision (): Revision {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
  try {
    const changes = git('status', '--porcelain', '--', '.', ':(exclude)loadtest/results')
    return { commit: git('rev-parse', 'HEAD'), changed: changes !== '' }
  } catch {
    return { commit: 'unknown', changed: true }
  }
}
