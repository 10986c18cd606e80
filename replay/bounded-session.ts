import { includes } from './arrivals.ts'
import type { PartitionSession } from '../eventlog/index.ts'
import type { Arrivals } from './arrivals.ts'

export interface SessionBounds {
  /** Offset after the last record that is wanted. */
  end: number
  arrivals: Arrivals
  /** Offsets that are not wanted. */
  leftOut: ReadonlySet<number>
}

/**
 * The same session, of which only the records below `end` that arrived in time are seen. Its signal aborts
 * when there are no more of them.
 */
export function boundedSession (
  session: PartitionSession, { end, arrivals, leftOut }: SessionBounds
): PartitionSession {
  const over = new AbortController()
  const { topic, partition, committed } = session
  return {
    topic,
    partition,
    committed,
    signal: AbortSignal.any([session.signal, over.signal]),
    commit: (commit) => session.commit(commit),
    read: async (options) => {
      let { offset } = options
      while (offset < end && !session.signal.aborted) {
        const records = await session.read({ ...options, offset })
        const wanted = records.filter(({ offset, timestampMs }) => {
          return offset < end && includes(arrivals, timestampMs) && !leftOut.has(offset)
        })
        if (wanted.length > 0) return wanted
        offset = (records[records.length - 1]?.offset ?? offset - 1) + 1
      }
      over.abort()
      return []
    }
  }
}
