import { expect, test } from 'vitest'
import { withTopicPrefix } from '../../eventlog/topic-prefix.ts'
import type { ConsumeOptions, EventLog, PartitionSession } from '../../eventlog/index.ts'

/** A log that remembers what it is asked, and hands out one session of the topic `test.visits`. */
function recordingLog (asked: unknown[]): EventLog {
  const session = { topic: 'test.visits', partition: 3, committed: { offset: 7, metadata: 'm' } }
  const ask = (...call: unknown[]) => {
    asked.push(call)
    return Promise.resolve([])
  }
  return {
    createTopics: async (topics) => { await ask('createTopics', topics) },
    append: (topic, records) => ask('append', topic, records),
    checkAppend: async (topic) => { await ask('checkAppend', topic) },
    offsets: (topic) => ask('offsets', topic),
    committedOffsets: (group, topic) => ask('committedOffsets', group, topic),
    consume: async ({ group, topics, onPartition }: ConsumeOptions) => {
      await ask('consume', group, topics)
      const calls = {
        read: (options: unknown) => ask('read', options), commit: (commit: unknown) => ask('commit', commit)
      }
      await onPartition({ ...session, ...calls } as unknown as PartitionSession)
      return {
        assignments: () => [{ topic: 'test.visits', partition: 3 }],
        stop: async () => { await ask('stop') }
      }
    },
    ping: async () => { await ask('ping') },
    close: async () => { await ask('close') }
  }
}

test('a prefixed log asks for prefixed topics and shows its caller plain ones', async () => {
  const asked: unknown[] = []
  const log = withTopicPrefix(recordingLog(asked), 'test.')
  await log.createTopics([{ name: 'visits', partitions: 1 }])
  await log.append('visits', [])
  await log.checkAppend('visits')
  await log.offsets('visits')
  await log.committedOffsets('group', 'visits')
  const bounds = { offset: 7, minBytes: 1, maxBytes: 1, maxRecords: 1, maxWaitMs: 1 }
  const sessions: PartitionSession[] = []
  const consumer = await log.consume({
    group: 'group',
    topics: ['visits'],
    onError: () => {},
    onPartition: async (session) => {
      sessions.push(session)
      await session.read(bounds)
      await session.commit({ offset: 8, metadata: '' })
    }
  })
  expect(sessions).toMatchObject([{ topic: 'visits', partition: 3, committed: { offset: 7, metadata: 'm' } }])
  expect(consumer.assignments()).toEqual([{ topic: 'visits', partition: 3 }])
  await consumer.stop()
  await log.ping()
  await log.close()
  expect(asked).toEqual([
    ['createTopics', [{ name: 'test.visits', partitions: 1 }]],
    ['append', 'test.visits', []],
    ['checkAppend', 'test.visits'],
    ['offsets', 'test.visits'],
    ['committedOffsets', 'group', 'test.visits'],
    ['consume', 'group', ['test.visits']],
    ['read', bounds],
    ['commit', { offset: 8, metadata: '' }],
    ['stop'],
    ['ping'],
    ['close']
  ])
})
