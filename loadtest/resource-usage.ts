import { setTimeout as delay } from 'node:timers/promises'
import { sampleTree } from './process-tree.ts'
import type { ProcessSample } from './process-tree.ts'

export interface ResourceUsage {
  samples: number
  seconds: number
  pss: PeakAndMean
  rss: PeakAndMean
  roles: Record<string, { pssPeakBytes: number, cpuSeconds: number }>
}

interface PeakAndMean {
  peakBytes: number
  meanBytes: number
}

/** Watches a process tree until the signal aborts, and says what it used meanwhile. */
export async function watchResources (
  rootPid: number, { everyMs, signal }: { everyMs: number, signal: AbortSignal }
): Promise<ResourceUsage> {
  const startMs = performance.now()
  const samples = [await sampleTree(rootPid)]
  while (!signal.aborted) {
    // An abort only shortens the pause.
    await delay(everyMs, undefined, { signal }).catch(() => undefined)
    samples.push(await sampleTree(rootPid))
  }
  return summarise(samples, (performance.now() - startMs) / 1000)
}

/** Peak and mean over moments of what all processes together used, and the CPU that each role used. */
export function summarise (moments: ReadonlyArray<readonly ProcessSample[]>, seconds: number): ResourceUsage {
  const roles: ResourceUsage['roles'] = {}
  for (const role of new Set(moments.flat().map((sample) => sample.role))) {
    const ofRole = moments.map((moment) => moment.filter((sample) => sample.role === role))
    roles[role] = {
      pssPeakBytes: Math.max(...ofRole.map((moment) => total(moment, 'pssBytes'))),
      cpuSeconds: cpuUsed(ofRole)
    }
  }
  const pss = moments.map((moment) => total(moment, 'pssBytes'))
  const rss = moments.map((moment) => total(moment, 'rssBytes'))
  return { samples: moments.length, seconds, pss: peakAndMean(pss), rss: peakAndMean(rss), roles }
}

/** For each process what it used between the first and the last moment that saw it. */
function cpuUsed (moments: ReadonlyArray<readonly ProcessSample[]>): number {
  const first = new Map<number, number>()
  const last = new Map<number, number>()
  for (const { pid, cpuSeconds } of moments.flat()) {
    if (!first.has(pid)) first.set(pid, cpuSeconds)
    last.set(pid, cpuSeconds)
  }
  return [...last].reduce((sum, [pid, cpuSeconds]) => sum + cpuSeconds - (first.get(pid) as number), 0)
}

function total (samples: readonly ProcessSample[], figure: 'pssBytes' | 'rssBytes'): number {
  return samples.reduce((sum, sample) => sum + sample[figure], 0)
}

function peakAndMean (values: readonly number[]): PeakAndMean {
  return {
    peakBytes: Math.max(...values),
    meanBytes: values.reduce((sum, value) => sum + value, 0) / values.length
  }
}
