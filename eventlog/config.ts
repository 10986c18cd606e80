import { join } from 'node:path'
import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'

/** Settings of every role that touches the log, keyed by environment variable. */
export const eventLogSettings = {
  DATA_DIR: Type.String({
    default: './data',
    minLength: 1,
    description: 'Folder of everything that the embedded parts store; the embedded log uses its subfolder log.'
  }),
  LOG_BYTES_MAX: Type.Integer({
    default: 16 * 1024 ** 3,
    minimum: 16 * 1024 ** 2,
    description: 'Size of the embedded log on disk; when it is full, events are refused with 503.'
  }),
  KAFKA_BROKERS: Type.Optional(Type.String({
    minLength: 1,
    description: 'host:port of some brokers of Redpanda or Kafka, separated by commas; without it the log is embedded.'
  })),
  KAFKA_SSL: Type.Boolean({ default: false, description: 'Speak TLS to the brokers.' }),
  KAFKA_SASL_MECHANISM: Type.Optional(Type.Enum(['plain', 'scram-sha-256', 'scram-sha-512'], {
    description: 'How to authenticate to the brokers; without it nobody does.'
  })),
  KAFKA_USERNAME: Type.String({ default: '', description: 'User of KAFKA_SASL_MECHANISM.' }),
  KAFKA_PASSWORD: Type.String({ default: '', description: 'Password of KAFKA_USERNAME.' }),
  KAFKA_COMPRESSION: Type.Enum(['none', 'gzip'], {
    default: 'none',
    description: 'Compression of what is sent to the brokers: saves network, costs CPU.'
  }),
  KAFKA_REPLICATION_FACTOR: Type.Optional(Type.Integer({
    minimum: 1,
    maximum: 32_767,
    description: 'Copies of each partition of a new topic; without it the default of the brokers.'
  })),
  KAFKA_TOPIC_PREFIX: Type.String({
    default: '',
    pattern: '^[A-Za-z0-9._-]{0,100}$',
    description: 'Stands before the name of every topic, where several systems share one cluster.'
  }),
  LOG_PARTITIONS: Type.Integer({
    default: 4,
    minimum: 1,
    maximum: 10_000,
    description: 'Partitions of a new topic: so many processors can share a stream; `start` takes 1 for the embedded log.'
  }),
  LOG_RETENTION_HOURS: Type.Integer({
    default: 7 * 24,
    minimum: 1,
    description: 'How long a new topic keeps its records; replay reaches back as far.'
  }),
  LOG_SESSION_TIMEOUT_MS: Type.Optional(Type.Integer({
    minimum: 500,
    description: 'A processor that is silent for so long loses its partitions; 3000 embedded, 10000 on Kafka.'
  })),
  SCHEMA_REGISTRY_URL: Type.Optional(Type.String({
    pattern: '^https?://',
    description: 'Schema registry; with it records carry its schema ids, else Avro fingerprints.'
  }))
}

export interface EventLogConfig {
  /** Folder of the embedded log. */
  directory: string
  bytesMax: number
  /** Undefined: the log is embedded. */
  kafka: KafkaConfig | undefined
  topic: { partitions: number, replicationFactor: number | undefined, retentionMs: number }
  /** Undefined: what suits the log, embedded or not. */
  sessionTimeoutMs: number | undefined
  schemaRegistryUrl: string | undefined
}

export interface KafkaConfig {
  brokers: string[]
  ssl: boolean
  sasl: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', username: string, password: string } | undefined
  compression: 'none' | 'gzip'
  topicPrefix: string
}

type EventLogEnv = Static<TObject<typeof eventLogSettings>>

/** The log's slice of a validated environment. */
export function eventLogConfig (env: EventLogEnv): EventLogConfig {
  return {
    directory: join(env.DATA_DIR, 'log'),
    bytesMax: env.LOG_BYTES_MAX,
    kafka: kafkaConfig(env),
    topic: {
      partitions: env.LOG_PARTITIONS,
      replicationFactor: env.KAFKA_REPLICATION_FACTOR,
      retentionMs: env.LOG_RETENTION_HOURS * 3_600_000
    },
    sessionTimeoutMs: env.LOG_SESSION_TIMEOUT_MS,
    schemaRegistryUrl: env.SCHEMA_REGISTRY_URL
  }
}

function kafkaConfig (env: EventLogEnv): KafkaConfig | undefined {
  if (env.KAFKA_BROKERS === undefined) return undefined
  const mechanism = env.KAFKA_SASL_MECHANISM
  return {
    brokers: env.KAFKA_BROKERS.split(',').map((broker) => broker.trim()),
    ssl: env.KAFKA_SSL,
    sasl: mechanism === undefined
      ? undefined
      : { mechanism, username: env.KAFKA_USERNAME, password: env.KAFKA_PASSWORD },
    compression: env.KAFKA_COMPRESSION,
    topicPrefix: env.KAFKA_TOPIC_PREFIX
  }
}
