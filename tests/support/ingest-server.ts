import pino from 'pino'
import { Registry } from 'prom-client'
import { createDecoder, createEncoder, userTags } from '../../contract/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { GroupAppender, ingestConfig, ingestMetrics, ingestRoutes, ingestSettings } from '../../ingest/index.ts'
import { createMemoryLog } from './memory-log.ts'
import type { RouteOptions } from 'fastify'
import type { Decoded, Stream, UserTagRecord } from '../../contract/index.ts'
import type { Principal } from '../../http/index.ts'
import type { IngestConfig } from '../../ingest/index.ts'
import type { MemoryLogOptions } from './memory-log.ts'

/** The settings as they are without an environment. */
export function defaultIngestConfig (): IngestConfig {
  const defaults = Object.entries(ingestSettings)
    .map(([name, schema]) => [name, (schema as { default?: unknown }).default])
  return ingestConfig(Object.fromEntries(defaults) as Parameters<typeof ingestConfig>[0])
}

/** An appender over a log in memory. */
export function buildAppender (config: Partial<IngestConfig> = {}, logOptions: MemoryLogOptions = {}) {
  const registry = new Registry()
  const metrics = ingestMetrics(registry)
  const log = createMemoryLog(logOptions)
  // One append at a time, so that a test says which one is in flight.
  const limits = { ...defaultIngestConfig(), appendIntervalMs: 0, appendsInFlightMax: 1, ...config }
  const appender = new GroupAppender({ log, metrics, config: limits })
  return { appender, log, metrics, registry }
}

/** The ingest server over a log in memory, as cli composes it, without a socket. */
export async function buildIngest (
  config: Partial<IngestConfig> = {},
  logOptions: MemoryLogOptions = {},
  principal?: Principal,
  onRoute: (route: RouteOptions) => void = () => {}
) {
  const parts = buildAppender(config, logOptions)
  const server = createServer({ log: pino({ level: 'silent' }) })
  if (principal !== undefined) server.addHook('onRequest', async (request) => { request.principal = principal })
  server.addHook('onRoute', onRoute)
  const paths = collectPaths(server)
  let ids = 0
  await server.register(ingestRoutes, {
    ...parts, encoderOf: (stream) => createEncoder(stream), nowMs: () => ARRIVAL_MS, newEventId: () => `id-${++ids}`
  })
  finishRoutes(server, paths)
  const decode = async <E, R>(stream: Stream<E, R>): Promise<Array<Decoded<R>>> => {
    const batches = parts.log.batches.filter((batch) => batch.topic === stream.topic)
    const records = batches.flatMap((batch) => [...batch.records])
    return await createDecoder(stream).decode(records.map((record) => record.value))
  }
  const storedIn = async <E, R>(stream: Stream<E, R>): Promise<R[]> => {
    return (await decode(stream)).map((result) => {
      if (!result.ok) throw new Error(result.detail)
      return result.record
    })
  }
  const stored = (): Promise<UserTagRecord[]> => storedIn(userTags)
  return { ...parts, server, stored, storedIn, decode }
}

/** What the injected clock of `buildIngest` says. */
export const ARRIVAL_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

/** A valid event, as in live traffic. */
export const TAG = {
  time: '2022-03-22T12:15:00.000Z',
  cookie: '9WkYGxkiXBfpMIjBGURC',
  country: 'CL',
  device: 'PC',
  action: 'VIEW',
  origin: 'CAMPAIGN_321',
  product_info: { product_id: 12486, brand_id: 'Ebros_Gift', category_id: 'Trousers', price: 28969 }
} as const

/** The value of one sample in Prometheus' text, or undefined. */
export async function metricValue (registry: Registry, sample: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${sample} `))
  return line === undefined ? undefined : Number(line.slice(sample.length + 1))
}
