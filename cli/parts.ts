/** The parts that several roles are made of, each opened from its slice of the settings. */
import { connectSchemaRegistry, createEncoder, streams } from '../contract/index.ts'
import { clickHouseConfig, clickHouseSettings, createReadClient, createWriteClient } from '../clickhouse/index.ts'
import { eventLogConfig, eventLogSettings, openEventLog } from '../eventlog/index.ts'
import { GroupAppender, ingestConfig, ingestMetrics, ingestRoutes, ingestSettings } from '../ingest/index.ts'
import { clickHouseQueryClient, queryApiConfig, queryApiRoutes, queryApiSettings } from '../query-api/index.ts'
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

export const ingestPartSettings = { ...eventLogSettings, ...ingestSettings }
export const queryPartSettings = { ...clickHouseSettings, ...queryApiSettings }

/** Opens the log and makes sure that every stream has its topic. */
export async function openLogPart (
  env: Static<TObject<typeof eventLogSettings>>, { log, closers }: PartContext
): Promise<LogPart> {
  const config = eventLogConfig(env)
  const eventLog = openEventLog(config, log)
  closers.add(() => eventLog.close())
  await eventLog.createTopics(streams.map((stream) => ({ name: stream.topic, ...config.topic })))
  const schemaRegistry = config.schemaRegistryUrl === undefined
    ? undefined
    : connectSchemaRegistry(config.schemaRegistryUrl)
  return { eventLog, schemaRegistry, check: { name: 'event log', check: () => eventLog.ping() } }
}

/** From HTTP to the log. */
export async function openIngestPart (
  env: Static<TObject<typeof ingestPartSettings>>, context: PartContext
): Promise<HttpPart> {
  const { eventLog, schemaRegistry, check } = await openLogPart(env, context)
  const metrics = ingestMetrics(context.registry)
  await Promise.all(streams.map((stream) => eventLog.checkAppend(stream.topic)))
  const appender = new GroupAppender({ log: eventLog, config: ingestConfig(env), metrics })
  context.closers.add(() => appender.close())
  return {
    routes: async (server) => {
      await server.register(ingestRoutes, {
        appender, metrics, encoderOf: (stream) => createEncoder(stream, schemaRegistry)
      })
    },
    ready: streams.map(({ name, topic }) => ({ name: `appends to ${name}`, check: () => eventLog.checkAppend(topic) })),
    dependencies: [check]
  }
}

/** From ClickHouse to answers. */
export async function openQueryPart (
  env: Static<TObject<typeof queryPartSettings>>, { closers, registry }: PartContext
): Promise<HttpPart> {
  const client = createReadClient(clickHouseConfig(env))
  closers.add(() => client.close())
  return {
    routes: async (server) => {
      await server.register(queryApiRoutes, {
        client: clickHouseQueryClient(client), config: queryApiConfig(env), registry
      })
    },
    ready: [],
    dependencies: [clickHouseCheck(client)]
  }
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
