import type { EventLog, PartitionCommit, PartitionOffsets } from '../eventlog/index.ts'
import type { Watermark, WatermarkState } from '../query-api/index.ts'

/** Milliseconds for which one look at the log serves. */
const STATE_MS_MAX = 250
/** Milliseconds between two looks while nobody asks: they are what a lagging partition is measured by. */
const SAMPLE_INTERVAL_MS = 1_000
/** Looks that are remembered, an hour of them. */
const SAMPLES_MAX = 3_600
/** A log that does not answer is not waited for: reads go on without a promise. */
const LOOK_MS_MAX = 1_000

export interface LogWatermarkOptions {
  eventLog: Pick<EventLog, 'offsets' | 'committedOffsets'>
  /** Consumer group of the processors. */
  group: string
  /** Topic of each stream, by the stream's name. */
  topics: ReadonlyMap<string, string>
  /** Whether accepted events of a topic wait in a spool that this process knows of. */
  hasSpooled: (topic: string) => boolean
  /** Epoch milliseconds. */
  now: () => number
}

export interface LogWatermark extends Watermark {
  close: () => void
}

/** Where each partition ended when it was looked at. */
interface Sample {
  askedAtMs: number
  ends: ReadonlyMap<number, number>
}

interface StreamState {
  topic: string
  samples: Sample[]
  askedAtMs: number
  current: Promise<WatermarkState> | undefined
}

/**
 * The watermark of every stream, from the log alone.
 *
 * An event whose acceptance was answered before an instant has its offset below what was the end of its
 * partition when the log was asked after that instant; and what lies below the committed offset is stored. So
 * a partition is complete up to the newest look whose end is not beyond the committed offset, and a stream up
 * to the least of its partitions. No time of a record takes part: the clocks of the ingest processes, and the
 * order in which their records arrive, do not matter. The instant is one of this process' clock, taken before
 * the log is asked.
 *
 * An event that was accepted into a spool is the exception: until it is forwarded, looks know nothing of it.
 * So no look counts that began while the spool of this process had something; the spool of another ingest
 * process is not known here (docs/delivery.md).
 *
 * A process that starts while the processors are behind knows no such look yet, and promises nothing until
 * they have caught up with its first one.
 */
export function logWatermark (options: LogWatermarkOptions): LogWatermark {
  const { topics, now } = options
  const states = new Map([...topics].map(([stream, topic]): [string, StreamState] => {
    return [stream, { topic, samples: [], askedAtMs: -Infinity, current: undefined }]
  }))
  const stateOf = (stream: string): Promise<WatermarkState> => {
    const state = states.get(stream)
    if (state === undefined) return Promise.resolve({ completeUpToMs: undefined, version: undefined })
    if (state.current === undefined || Math.abs(now() - state.askedAtMs) >= STATE_MS_MAX) {
      state.askedAtMs = now()
      state.current = look(options, state)
    }
    return state.current
  }
  const timer = setInterval(() => { for (const stream of topics.keys()) stateOf(stream) }, SAMPLE_INTERVAL_MS)
  timer.unref()
  return { stateOf, close: () => clearInterval(timer) }
}

/** Never rejects. */
async function look (options: LogWatermarkOptions, state: StreamState): Promise<WatermarkState> {
  const { eventLog, group, hasSpooled } = options
  const { askedAtMs, topic } = state
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('The log did not answer in time')), LOOK_MS_MAX)
  })
  try {
    // Before the log is asked: what has left the spool by now is below the ends that the log will tell.
    const isWhole = !hasSpooled(topic)
    const answers = Promise.all([eventLog.offsets(topic), eventLog.committedOffsets(group, topic)])
    const [offsets, commits] = await Promise.race([answers, late])
    const ends = new Map(offsets.map(({ partition, end }) => [partition, end]))
    if (isWhole) remember(state, { askedAtMs, ends })
    return watermarkOf(state, offsets, commits)
  } catch {
    return { completeUpToMs: undefined, version: undefined }
  } finally {
    clearTimeout(timer)
  }
}

function remember (state: StreamState, sample: Sample): void {
  state.samples.push(sample)
  state.samples.sort((a, b) => a.askedAtMs - b.askedAtMs)
  if (state.samples.length > SAMPLES_MAX) state.samples.shift()
}

function watermarkOf (
  state: StreamState, offsets: readonly PartitionOffsets[], commits: readonly PartitionCommit[]
): WatermarkState {
  const committed = new Map(commits.map(({ partition, offset }) => [partition, offset]))
  const positions = offsets.map(({ partition, begin }) => {
    return { partition, position: committed.get(partition) ?? begin }
  })
  const instants = positions.map(({ partition, position }) => {
    // A partition that was not there yet when it was looked at held nothing.
    return state.samples.findLast(({ ends }) => (ends.get(partition) ?? 0) <= position)?.askedAtMs
  })
  const known = instants.every((ms) => ms !== undefined)
  const least = known ? Math.min(...instants) : undefined
  forget(state, least)
  return {
    completeUpToMs: least,
    version: JSON.stringify(positions.map(({ partition, position }) => [partition, position]))
  }
}

/** Committed offsets only grow: what is older than the watermark is never needed again. */
function forget (state: StreamState, completeUpToMs: number | undefined): void {
  if (completeUpToMs === undefined) return
  state.samples = state.samples.filter(({ askedAtMs }) => askedAtMs >= completeUpToMs)
}
