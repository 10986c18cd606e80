export { FencedError, LogFullError, LogUnavailableError, RecordTooLargeError } from './event-log.ts'
export type {
  AppendRecord, ConsumeOptions, Consumer, EventLog, LogRecord, LogSize, PartitionCommit, PartitionOffsets,
  PartitionSession, ReadOptions, RecordLocation, TopicSpec
} from './event-log.ts'
export { openKafkaLog } from './kafka/kafka-log.ts'
export type { KafkaLogger, KafkaSettings } from './kafka/settings.ts'
export { openEmbeddedLog } from './embedded/embedded-log.ts'
export type { EmbeddedLogOptions } from './embedded/embedded-log.ts'
export { eventLogConfig, eventLogSettings } from './config.ts'
export type { EventLogConfig } from './config.ts'
export { registerLogMetrics } from './metrics.ts'
export { openEventLog } from './open-event-log.ts'
export { spoolConfig, spoolSettings } from './spool/config.ts'
export type { SpoolConfig } from './spool/config.ts'
export { registerSpoolMetrics } from './spool/metrics.ts'
export { SpoolingLog } from './spool/spooling-log.ts'
export type { SpoolLogger, SpoolOptions, SpoolState } from './spool/spooling-log.ts'
