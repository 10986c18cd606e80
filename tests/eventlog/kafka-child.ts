/** Opens the Kafka log in the child processes of the conformance suite. */
import { openKafkaLog } from '../../eventlog/index.ts'
import type { EventLog, KafkaSettings } from '../../eventlog/index.ts'

export async function openEventLog (config: unknown): Promise<EventLog> {
  return openKafkaLog(config as KafkaSettings)
}
