import { expect, test } from 'vitest'
import { eventLogConfig, eventLogSettings } from '../../eventlog/index.ts'
import { loadSettings } from '../../cli/settings.ts'
import { toTopicConfig } from '../../eventlog/kafka/settings.ts'

function askedFor (env: NodeJS.ProcessEnv) {
  return toTopicConfig({ name: 'visits', ...eventLogConfig(loadSettings(eventLogSettings, env)).topic })
}

test('a topic has four partitions, the copies that the broker makes by default, and a week', () => {
  expect(askedFor({})).toEqual({
    topic: 'visits',
    numPartitions: 4,
    replicationFactor: -1,
    configEntries: [{ name: 'retention.ms', value: String(7 * 86_400_000) }]
  })
})

test('partitions, copies and retention are those of the settings', () => {
  const env = { LOG_PARTITIONS: '12', KAFKA_REPLICATION_FACTOR: '3', LOG_RETENTION_HOURS: '1' }
  expect(askedFor(env)).toEqual({
    topic: 'visits',
    numPartitions: 12,
    replicationFactor: 3,
    configEntries: [{ name: 'retention.ms', value: '3600000' }]
  })
})
