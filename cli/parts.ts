/** The parts that several roles are made of, each opened from its slice of the settings. */
import { connectSchemaRegistry, createEncoder, streams } from '../contract/index.ts'
import { clickHouseConfig, clickHouseSettings, createReadClient, createWriteClient } from '../clickhouse/index.ts'
import {
  LogFullError, LogUnavailableError, eventLogConfig, eventLogSettings, openEventLog, registerLogMetrics,
  spoolSettings
} from '../eventlog/index.ts'
import { GroupAppender, ingestConfig, ingestMetrics, ingestRoutes, ingestSettings } from '../ingest/index.ts'
import { erasurePartSettings, openErasurePart } from './erasure-part.ts'
import { deadLetterRoutes } from '../dead-letters/index.ts'
import { openDeadLetters } from './dead-letter-part.ts'
import { makeDataFolder } from './data-folder.ts'
import { logPositions } from './log-positions.ts'
import { logWatermark } from './log-watermark.ts'
import { openSpoolPart } from './spool-part.ts'
import {
  EVERY_ROW, addCompleteUpTo, clickHouseQueryClient, clickHouseQuestionClient, ledgerRoutes, queryApiConfig,
  queryApiRoutes, queryApiSettings, questionConfig, questionRoutes, questionSettings
} from '../query-api/index.ts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Static, TObject } from 'typebox'
import type { SchemaRegistry } from '../contract/index.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { EventLog } from '../eventlog/index.ts'
import type { HealthCheck } from '../http/index.ts'
import type { Closers } from './role.ts'

export interface PartContext {
  log: Logger
  closers: Closers
  registry: Registry
}

/** Routes with what says whether they can be served. */
export interface HttpPart {
  routes: (server: FastifyInstance) => Promise<void>
  ready: HealthCheck[]
  dependencies: HealthCheck[]
}

export interface LogPart {
  eventLog: EventLog
  schemaRegistry: SchemaRegistry | undefined
  check: HealthCheck
}

export const ingestPartSettings = { ...eventLogSettings, ...spoolSettings, ...ingestSettings }
export const queryPartSettings = {
  ...clickHouseSettings,
  ...eventLogSettings,
  ...queryApiSettings,
  ...questionSettings,
  ...erasurePartSettings
}

/** Opens the log and makes sure that every stream has its topic. */
export async function openLogPart (
  env: Static<TObject<typeof eventLogSettings>>, context: PartContext
): Promise<LogPart> {
  const part = openLog(env, context)
  await createTopics(env, part.eventLog)
  return part
}

function createTopics (
  env: Static<TObject<typeof eventLogSettings>>, log: Pick<EventLog, 'createTopics'>
): Promise<void> {
  const { topic } = eventLogConfig(env)
  return log.createTopics(streams.map((stream) => ({ name: stream.topic, ...topic })))
}

function openLog (
  env: Static<TObject<typeof eventLogSettings>>, { log, closers, registry }: PartContext
): LogPart {
  const config = eventLogConfig(env)
  if (env.KAFKA_BROKERS === undefined) makeDataFolder(env.DATA_DIR)
  const eventLog = openEventLog(config, log)
  registerLogMetrics(registry, eventLog)
  closers.add(() => eventLog.close())
  const schemaRegistry = config.schemaRegistryUrl === undefined
    ? undefined
    : connectSchemaRegistry(config.schemaRegistryUrl)
  return { eventLog, schemaRegistry, check: { name: 'event log', check: () => eventLog.ping() } }
}

/** The log as those who read know it. */
export interface LookedAtLog {
  eventLog: EventLog
  /** Whether events of a topic that this process accepted are not in it yet. */
  hasSpooled: (topic: string) => boolean
}

/** Ingest, with the log that it opened. */
export interface IngestPart extends HttpPart, LookedAtLog {}

/** From HTTP to the log. */
export async function openIngestPart (
  env: Static<TObject<typeof ingestPartSettings>>, context: PartContext
): Promise<IngestPart> {
  const { eventLog, schemaRegistry, check } = openLog(env, context)
  const { log, checks, hasSpooled } = await openSpoolPart(env, context, { eventLog, schemaRegistry })
  const metrics = ingestMetrics(context.registry)
  await createTopics(env, log)
  await Promise.all(streams.map((stream) => log.checkAppend(stream.topic).catch((error: unknown) => {
    // Readiness says so until there is room; reads are served meanwhile.
    if (!(error instanceof LogUnavailableError && error.cause instanceof LogFullError)) throw error
    context.log.warn({ stream: stream.name, reason: error.message }, 'no events are taken')
  })))
  const appender = new GroupAppender({ log, config: ingestConfig(env), metrics })
  context.closers.add(() => appender.close())
  return {
    routes: async (server) => {
      await server.register(ingestRoutes, {
        appender, metrics, encoderOf: (stream) => createEncoder(stream, schemaRegistry)
      })
    },
    ready: [...checks, ...streams.map(({ name, topic }) => {
      return { name: `appends to ${name}`, check: () => log.checkAppend(topic) }
    })],
    dependencies: [check],
    eventLog,
    hasSpooled
  }
}

/**
 * From ClickHouse to answers, and from dead letters back into the log. For the answers the log is only looked
 * at, for how far they reach.
 */
export async function openQueryPart (
  env: Static<TObject<typeof queryPartSettings>>,
  context: PartContext,
  { eventLog, hasSpooled }: LookedAtLog
): Promise<HttpPart> {
  const { closers, registry } = context
  const config = clickHouseConfig(env)
  const client = createReadClient(config)
  closers.add(() => client.close())
  const watermark = logWatermark({
    eventLog,
    group: env.PROCESSOR_GROUP,
    topics: new Map(streams.map(({ name, topic }) => [name, topic])),
    hasSpooled,
    now: Date.now
  })
  closers.add(async () => watermark.close())
  // A look before the first event arrives: a promise can be made while the processors are behind.
  await Promise.all(streams.map(({ name }) => watermark.stateOf(name)))
  const limits = questionConfig(env)
  const erasure = openErasurePart(env, context, { read: client, eventLog })
  const { visibility } = erasure
  const letters = openDeadLetters(env, { closers, eventLog, now: Date.now })
  return {
    routes: async (server) => {
      await server.register(async (scope) => {
        addCompleteUpTo(scope, { watermark, streams: streams.map(({ name }) => name) })
        await scope.register(queryApiRoutes, {
          client: clickHouseQueryClient(client, visibility), config: queryApiConfig(env), registry
        })
        await scope.register(questionRoutes, {
          client: clickHouseQuestionClient({ client, visibility, secondsMax: limits.secondsMax }),
          watermark,
          visibility,
          limits,
          retentionDays: config.retentionDays,
          now: Date.now
        })
        await scope.register(ledgerRoutes, {
          client: clickHouseQueryClient(client, EVERY_ROW),
          logPositions: logPositions({ eventLog, group: env.PROCESSOR_GROUP }),
          retentionDays: config.retentionDays,
          now: Date.now,
          registry
        })
        await scope.register(deadLetterRoutes, { letters })
      })
      await server.register(async (scope) => erasure.routes(scope))
    },
    ready: [],
    dependencies: [clickHouseCheck(client)]
  }
}

/** The log, for a role that takes no events: nothing is known of the spools of those that do. */
export function openLookedAtLog (
  env: Static<TObject<typeof eventLogSettings>>, { log, closers }: PartContext
): LookedAtLog {
  if (env.KAFKA_BROKERS === undefined) makeDataFolder(env.DATA_DIR)
  const eventLog = openEventLog(eventLogConfig(env), log)
  closers.add(() => eventLog.close())
  return { eventLog, hasSpooled: () => false }
}

/** A client that writes, for as long as the role runs. */
export function openWriteClient (
  env: Static<TObject<typeof clickHouseSettings>>, { closers }: PartContext
): ClickHouseClient {
  const client = createWriteClient(clickHouseConfig(env))
  closers.add(() => client.close())
  return client
}

export function clickHouseCheck (client: ClickHouseClient): HealthCheck {
  return {
    name: 'clickhouse',
    check: async () => {
      const answer = await client.ping({ select: true })
      if (!answer.success) throw answer.error
    }
  }
}
