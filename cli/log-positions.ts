import { MillraceError, streams } from '../contract/index.ts'
import type { EventLog } from '../eventlog/index.ts'
import type { LogPositions } from '../query-api/index.ts'

export interface LogPositionsOptions {
  eventLog: Pick<EventLog, 'offsets' | 'committedOffsets'>
  /** Consumer group of the processors. */
  group: string
}

/** Where each partition stands, from the log itself. */
export function logPositions ({ eventLog, group }: LogPositionsOptions): LogPositions {
  const topics = new Map(streams.map(({ name, topic }) => [name, topic]))
  return {
    positionsOf: async (stream) => {
      try {
        const topic = topics.get(stream) as string
        // Commits first: what is committed lies below the end that is asked for afterwards.
        const commits = await eventLog.committedOffsets(group, topic)
        const offsets = await eventLog.offsets(topic)
        const committed = new Map(commits.map(({ partition, offset }) => [partition, offset]))
        return offsets.map(({ partition, begin, end }) => {
          const stored = committed.get(partition) ?? begin
          return { stream, partition, begin, committed: Math.max(stored, begin), end }
        })
      } catch (cause) {
        throw new MillraceError('log_unavailable', 'The log did not say where it stands', { cause })
      }
    }
  }
}
