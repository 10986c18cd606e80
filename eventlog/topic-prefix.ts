import type { EventLog, PartitionSession } from './event-log.ts'

/**
 * The same log, with every topic's name prefixed: several systems can share one cluster, and none of them
 * sees the prefix. Groups are not prefixed.
 */
export function withTopicPrefix (log: EventLog, prefix: string): EventLog {
  return {
    createTopics: (topics) => {
      return log.createTopics(topics.map((topic) => ({ ...topic, name: prefix + topic.name })))
    },
    append: (topic, records) => log.append(prefix + topic, records),
    checkAppend: (topic) => log.checkAppend(prefix + topic),
    offsets: (topic) => log.offsets(prefix + topic),
    committedOffsets: (group, topic) => log.committedOffsets(group, prefix + topic),
    consume: async (options) => {
      const consumer = await log.consume({
        ...options,
        topics: options.topics.map((topic) => prefix + topic),
        onPartition: (session) => options.onPartition(withoutPrefix(session, prefix))
      })
      return {
        assignments: () => consumer.assignments().map(({ topic, partition }) => {
          return { topic: topic.slice(prefix.length), partition }
        }),
        stop: () => consumer.stop()
      }
    },
    ping: () => log.ping(),
    close: () => log.close()
  }
}

function withoutPrefix (session: PartitionSession, prefix: string): PartitionSession {
  const { topic, partition, committed, signal } = session
  return {
    topic: topic.slice(prefix.length),
    partition,
    committed,
    signal,
    read: (options) => session.read(options),
    commit: (commit) => session.commit(commit)
  }
}
