import { openEmbeddedLog } from './embedded/embedded-log.ts'
import { openKafkaLog } from './kafka/kafka-log.ts'
import { withTopicPrefix } from './topic-prefix.ts'
import type { EventLogConfig } from './config.ts'
import type { EventLog } from './event-log.ts'
import type { KafkaLogger, KafkaSettings } from './kafka/settings.ts'

/** The log that the configuration names: Redpanda or Kafka where there are brokers, else the embedded one. */
export function openEventLog (config: EventLogConfig, log: KafkaLogger): EventLog {
  const { kafka, sessionTimeoutMs } = config
  const session = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }
  if (kafka === undefined) {
    const { directory, bytesMax } = config
    return openEmbeddedLog({ directory, bytesMax, log, ...session })
  }
  const { sasl, topicPrefix, ...cluster } = kafka
  const credentials = sasl === undefined ? {} : { sasl: sasl as NonNullable<KafkaSettings['sasl']> }
  const kafkaLog = openKafkaLog({ ...cluster, ...credentials, ...session, clientId: 'millrace', log })
  return topicPrefix === '' ? kafkaLog : withTopicPrefix(kafkaLog, topicPrefix)
}
