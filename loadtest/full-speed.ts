import { spawn } from 'node:child_process'
import { median } from './percentiles.ts'
import { ROOT, exitOf, stopProcess } from './child-process.ts'

/** Events of one request of a batch: as many as it may have. */
export const BATCH_EVENTS = 1_000

export interface FullSpeedOptions {
  url: string
  connections: number
  seconds: number
  /** Different bodies that each connection sends in turn. */
  bodiesPerConnection: number
  /** More than one: arrays to the batch route. One by default. */
  eventsPerRequest?: number
  seed: number
}

/** One round of one server. */
export interface FullSpeedRound {
  seconds: number
  /** Events of requests answered 2xx; those still open at the end are not counted. */
  accepted: number
  perSecond: number
  /** Requests answered otherwise. */
  refused: number
  /** Requests without an answer. */
  errors: number
  /** Whole milliseconds. */
  latencyMs: { p50: number, p99: number, max: number }
}

export interface Comparison {
  measured: FullSpeedRound[]
  reference: FullSpeedRound[]
  measuredMedian: number
  referenceMedian: number
  /** Median of each round's measured ÷ reference: a machine that slows down slows both of a round. */
  ratio: number
}

type RunRound = (options: FullSpeedOptions) => Promise<FullSpeedRound>

/** Sends to `url` at full speed, from a process of its own. Rejects where it fails or is interrupted. */
export async function runFullSpeed (options: FullSpeedOptions, signal: AbortSignal): Promise<FullSpeedRound> {
  signal.throwIfAborted()
  const child = spawn(process.execPath, ['loadtest/full-speed-client.ts', JSON.stringify(options)], {
    cwd: ROOT, detached: true, stdio: ['ignore', 'ignore', process.stderr, 'ipc']
  })
  const onAbort = () => { child.kill('SIGKILL') }
  signal.addEventListener('abort', onAbort)
  let round: FullSpeedRound | undefined
  child.once('message', (message: FullSpeedRound) => { round = message })
  try {
    const code = await exitOf(child)
    signal.throwIfAborted()
    if (round === undefined) throw new Error(`The client ended with ${code} before its result`)
    return round
  } finally {
    signal.removeEventListener('abort', onAbort)
    await stopProcess(child)
  }
}

/** Alternating rounds, so that what the machine does meanwhile falls on both alike. */
export async function compareRates (
  { measuredUrl, referenceUrl, rounds, warmUpSeconds, runRound, ...options }: Omit<FullSpeedOptions, 'url'> & {
    measuredUrl: string, referenceUrl: string, rounds: number, warmUpSeconds: number, runRound: RunRound
  }
): Promise<Comparison> {
  for (const url of [measuredUrl, referenceUrl]) {
    if (warmUpSeconds > 0) await runRound({ ...options, url, seconds: warmUpSeconds })
  }
  const measured: FullSpeedRound[] = []
  const reference: FullSpeedRound[] = []
  for (let index = 0; index < rounds; index += 1) {
    const seed = options.seed + index
    measured.push(await runRound({ ...options, seed, url: measuredUrl }))
    reference.push(await runRound({ ...options, seed, url: referenceUrl }))
  }
  const measuredMedian = median(measured.map((round) => round.perSecond))
  const referenceMedian = median(reference.map((round) => round.perSecond))
  const ratios = measured.map(({ perSecond }, index) => {
    return perSecond / (reference[index] as FullSpeedRound).perSecond
  })
  return { measured, reference, measuredMedian, referenceMedian, ratio: median(ratios) }
}
