/** Where in the log a replay ends and the processors' own inserts begin. */
import { setTimeout as delay } from 'node:timers/promises'
import { parsePending } from '../processors/index.ts'
import type { EventLog } from '../eventlog/index.ts'

/** Looks at the processors' progress follow each other so fast. */
const LOOK_MS = 20

/** What the processors have done with a topic. */
export interface Delivery {
  eventLog: Pick<EventLog, 'offsets' | 'committedOffsets'>
  /** Their consumer group. */
  group: string
  topic: string
}

/** End offset of each partition, now. */
export async function endsOf ({ eventLog, topic }: Delivery): Promise<Record<string, number>> {
  const offsets = await eventLog.offsets(topic)
  return Object.fromEntries(offsets.map(({ partition, end }) => [partition, end]))
}

/**
 * Whether no insert of a record at or above `ends` can have begun before now: every batch is announced before
 * it is inserted, and none that was announced reaches beyond them.
 */
export async function noneBegunBeyond (
  delivery: Delivery, ends: Readonly<Record<string, number>>
): Promise<boolean> {
  return Object.entries(await begunUpTo(delivery)).every(([partition, end]) => end <= (ends[partition] ?? 0))
}

/** Resolves when everything below `ends` is stored in every table. Rejects when aborted. */
export async function storedUpTo (
  { eventLog, group, topic }: Delivery, ends: Readonly<Record<string, number>>, signal: AbortSignal
): Promise<void> {
  while (true) {
    const commits = await eventLog.committedOffsets(group, topic)
    const committed = new Map(commits.map(({ partition, offset }) => [String(partition), offset]))
    const begins = await eventLog.offsets(topic)
    const begin = new Map(begins.map((each) => [String(each.partition), each.begin]))
    const behind = Object.entries(ends).some(([partition, end]) => {
      return (committed.get(partition) ?? begin.get(partition) ?? 0) < end
    })
    if (!behind) return
    await delay(LOOK_MS, undefined, { signal })
  }
}

/**
 * Resolves when no batch is announced, so that no insert is under way: offset of each partition up to which
 * everything is stored. Rejects when aborted.
 */
export async function betweenBatches (
  { eventLog, group, topic }: Delivery, signal: AbortSignal
): Promise<Record<string, number>> {
  while (true) {
    signal.throwIfAborted()
    const commits = await eventLog.committedOffsets(group, topic)
    if (commits.every(({ metadata }) => parsePending(metadata) === undefined)) {
      return Object.fromEntries(commits.map(({ partition, offset }) => [partition, offset]))
    }
    await delay(LOOK_MS, undefined, { signal })
  }
}

/** Offset of each partition that no insert which has begun until now reaches beyond. */
export async function begunUpTo ({ eventLog, group, topic }: Delivery): Promise<Record<string, number>> {
  const commits = await eventLog.committedOffsets(group, topic)
  return Object.fromEntries(commits.map(({ partition, offset, metadata }) => {
    return [partition, parsePending(metadata)?.end ?? offset]
  }))
}
