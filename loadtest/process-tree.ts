import { readFile, readdir } from 'node:fs/promises'

/** Memory and CPU of one process at one moment, from /proc (Linux). */
export interface ProcessSample {
  pid: number
  /** The role of ours that it runs, else the name of its program. */
  role: string
  /** Its own memory and its share of what several processes map; sums over processes mean something. */
  pssBytes: number
  /** All memory that it maps and that is in RAM, what it shares included. */
  rssBytes: number
  /** User and system time since it started. */
  cpuSeconds: number
}

/** Linux reports times to user space in hundredths of a second on every architecture (USER_HZ). */
const TICKS_PER_SECOND = 100

/** A process and everything that it started and they started. One that ends meanwhile is left out. */
export async function sampleTree (rootPid: number): Promise<ProcessSample[]> {
  const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const stats = (await Promise.all(entries.map(readStat))).filter((stat) => stat !== undefined)
  const tree = new Set([rootPid])
  for (let before = 0; before < tree.size;) {
    before = tree.size
    for (const { pid, parentPid } of stats) if (tree.has(parentPid)) tree.add(pid)
  }
  const samples = await Promise.all(stats.filter(({ pid }) => tree.has(pid)).map(sampleProcess))
  return samples.filter((sample) => sample !== undefined)
}

/** The figures of `/proc/<pid>/stat`; its second field is a name in brackets that may hold anything. */
export function parseStat (text: string): { parentPid: number, cpuSeconds: number } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const cpuTicks = Number(fields[11]) + Number(fields[12])
  return { parentPid: Number(fields[1]), cpuSeconds: cpuTicks / TICKS_PER_SECOND }
}

/** PSS and RSS of `/proc/<pid>/smaps_rollup`, which counts in KiB. */
export function parseSmapsRollup (text: string): { pssBytes: number, rssBytes: number } {
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024
  return { pssBytes: bytesOf('Pss'), rssBytes: bytesOf('Rss') }
}

/** The argument after the script of the command line, which names a role, else the program. */
export function roleOf (commandLine: string): string {
  const words = commandLine.split('\0')
  const script = words.findIndex((word) => word.endsWith('cli/main.ts'))
  return (script === -1 ? words[0] : words[script + 1]) ?? ''
}

interface Stat extends ReturnType<typeof parseStat> {
  pid: number
}

async function readStat (entry: string): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : { pid: Number(entry), ...parseStat(text) }
}

async function sampleProcess ({ pid, cpuSeconds }: Stat): Promise<ProcessSample | undefined> {
  try {
    const [commandLine, memory] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'), readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    ])
    return { pid, role: roleOf(commandLine), cpuSeconds, ...parseSmapsRollup(memory) }
  } catch {
    return undefined
  }
}
