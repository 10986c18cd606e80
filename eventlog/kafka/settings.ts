import { Kafka, logLevel } from 'kafkajs'
import type { ITopicConfig, KafkaConfig, LogEntry } from 'kafkajs'
import type { TopicSpec } from '../event-log.ts'

/** Where the adapter writes what an operator may want to know. pino's loggers have this shape. */
export interface KafkaLogger {
  debug: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
}

export interface KafkaSettings {
  /** `host:port` of some brokers; the others are found through them. */
  brokers: readonly string[]
  clientId: string
  ssl?: NonNullable<KafkaConfig['ssl']>
  sasl?: NonNullable<KafkaConfig['sasl']>
  /**
   * A group member that was not heard of for this long loses its partitions: how long a crashed process holds
   * up its partitions. Within the broker's group.min/max.session.timeout.ms (6 s to 30 min by default).
   */
  sessionTimeoutMs?: number
  /** How long the group waits in a rebalance for a member that still answers to join again. */
  rebalanceTimeoutMs?: number
  /** Bound on `append`, with its wait behind earlier appends to the topic; then LogUnavailableError. */
  appendMsMax?: number
  /** Bound on a request to a broker, and on `ping`; a reader's fetches of some megabytes go by it, too. */
  requestMsMax?: number
  /**
   * Key and value of one record; at most the `max.message.bytes` of the topics less 1 KiB (the broker's
   * default is 1 MiB).
   */
  recordBytesMax?: number
  compression?: 'none' | 'gzip'
  log?: KafkaLogger
}

export type Limits = Required<Omit<KafkaSettings, 'brokers' | 'clientId' | 'ssl' | 'sasl' | 'log'>> & {
  log: KafkaLogger
}

/** Below the 1 MiB that a broker takes by default, by more than the 1 KiB of `recordBytesMax`. */
export const RECORD_BYTES_MAX = 1_000_000

const NO_LOG: KafkaLogger = { debug: () => {}, warn: () => {} }

/** The settings with every default filled in. */
export function toLimits (settings: KafkaSettings): Limits {
  return {
    sessionTimeoutMs: settings.sessionTimeoutMs ?? 10_000,
    rebalanceTimeoutMs: settings.rebalanceTimeoutMs ?? 30_000,
    appendMsMax: settings.appendMsMax ?? 3000,
    requestMsMax: settings.requestMsMax ?? 2000,
    recordBytesMax: settings.recordBytesMax ?? RECORD_BYTES_MAX,
    compression: settings.compression ?? 'none',
    log: settings.log ?? NO_LOG
  }
}

/**
 * The kafkajs client. Few and quick retries: who waits for a longer fault decides that himself (the HTTP edge
 * answers 503, a consumer joins again for ever).
 */
export function toClient (settings: KafkaSettings, limits: Limits): Kafka {
  return new Kafka({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    ...(settings.ssl === undefined ? {} : { ssl: settings.ssl }),
    ...(settings.sasl === undefined ? {} : { sasl: settings.sasl }),
    connectionTimeout: Math.min(1000, limits.requestMsMax),
    requestTimeout: limits.requestMsMax,
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 500 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => writeEntry(limits.log, entry)
  })
}

/** A topic as the broker is asked for it: copies that no setting names are those of its own default. */
export function toTopicConfig (
  { name, partitions, replicationFactor, retentionMs }: TopicSpec
): ITopicConfig {
  return {
    topic: name,
    numPartitions: partitions,
    replicationFactor: replicationFactor ?? -1,
    configEntries: retentionMs === undefined ? [] : [{ name: 'retention.ms', value: String(retentionMs) }]
  }
}

/** kafkajs calls every failed attempt an error, also one that a retry mends: none is more than a warning. */
function writeEntry (log: KafkaLogger, { level, namespace, log: { message, ...fields } }: LogEntry): void {
  const write = level <= logLevel.ERROR ? log.warn.bind(log) : log.debug.bind(log)
  write({ namespace, ...fields }, `kafkajs: ${message}`)
}
