import { v7 } from 'uuid'
import { MillraceError, streams } from '../contract/index.ts'
import { clickHouseConfig, clickHouseUrl, createWriteClient } from '../clickhouse/index.ts'
import { eventLogConfig } from '../eventlog/index.ts'
import {
  ErasureStore, Erasures, SubjectHasher, TombstoneLease, createErasureMetrics, erasureSettings,
  erasureVisibility, keyInFolder, personalTables, registerErasures, registerTombstoneMetric, startErasureJob
} from '../erasure/index.ts'
import { processorSettings } from '../processors/index.ts'
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Static, TObject } from 'typebox'
import type { ClickHouseClient, clickHouseSettings } from '../clickhouse/index.ts'
import type { DeliveryProgress } from '../erasure/index.ts'
import type { EventLog, eventLogSettings } from '../eventlog/index.ts'
import type { Visibility } from '../query-api/index.ts'
import type { PartContext } from './parts.ts'

export const erasurePartSettings = { ...erasureSettings, PROCESSOR_GROUP: processorSettings.PROCESSOR_GROUP }

type ErasureEnv = Static<TObject<
  typeof erasurePartSettings & typeof clickHouseSettings & typeof eventLogSettings
>>

type LogEnv = Static<TObject<typeof eventLogSettings>>

const DAY_MS = 86_400_000
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * What hashes subjects: with ERASURE_KEY, or with a key of this machine where ClickHouse runs on it too, so
 * that every role finds the same. Undefined elsewhere.
 */
export function openSubjectHasher (
  env: Pick<ErasureEnv, 'ERASURE_KEY' | 'DATA_DIR' | 'CLICKHOUSE_URL' | 'CLICKHOUSE_PORT'>
): SubjectHasher | undefined {
  if (env.ERASURE_KEY !== undefined) return new SubjectHasher(env.ERASURE_KEY)
  const { hostname } = new URL(clickHouseUrl(env))
  return LOOPBACK_HOSTS.has(hostname) ? new SubjectHasher(keyInFolder(env.DATA_DIR)) : undefined
}

/**
 * How long tombstones are kept in memory. The log keeps a record longer than its retention says: a segment
 * goes as a whole, and Kafka fills one for up to 7 days (`segment.ms`). Twice, for a clock that is off.
 */
export function tombstonesKeptMs (env: LogEnv): number {
  return 2 * eventLogConfig(env).topic.retentionMs + 8 * DAY_MS
}

/**
 * The tombstones that `client` can read; fails where they were made with another key than `hasher` has. All
 * of them are kept without `keepMs`.
 */
export function openTombstones (
  client: ClickHouseClient, hasher: SubjectHasher | undefined, keepMs?: number
): TombstoneLease {
  const store = new ErasureStore(client)
  return new TombstoneLease({
    keepMs,
    read: async (sinceMs, keepMs) => {
      const read = await store.changedSince(sinceMs, keepMs)
      if (read.keyIds.every((keyId) => keyId === hasher?.keyId)) return read
      throw new MillraceError('storage_unavailable', 'Erasures were made with another ERASURE_KEY than this role has')
    }
  })
}

export interface ErasurePart {
  visibility: Visibility
  routes: (server: FastifyInstance) => void
}

/** What reads must hide, the routes of erasure, and the job that carries it out. */
export function openErasurePart (
  env: ErasureEnv,
  { log, closers, registry }: PartContext,
  clients: { read: ClickHouseClient, eventLog: EventLog }
): ErasurePart {
  const config = clickHouseConfig(env)
  const client = createWriteClient(config)
  closers.add(() => client.close())
  const hasher = openSubjectHasher(env)
  const tables = personalTables(streams)
  const store = new ErasureStore(client)
  const metrics = createErasureMetrics(registry, Date.now)
  const progress = deliveryProgress(clients.eventLog, env.PROCESSOR_GROUP)
  const job = hasher === undefined
    ? undefined
    : startErasureJob({ client, config, store, hasher, tables, progress, metrics, log })
  if (job !== undefined) closers.add(() => job.stop())
  const erasures = new Erasures({
    store,
    hasher,
    logRetentionMs: eventLogConfig(env).topic.retentionMs,
    now: Date.now,
    newId: () => v7(),
    onCreated: () => job?.poke()
  })
  return {
    visibility: openVisibility(env, clients.read, registry),
    routes: (server) => registerErasures(server, { erasures })
  }
}

/** What reads must hide. */
export function openVisibility (env: ErasureEnv, read: ClickHouseClient, registry?: Registry): Visibility {
  const hasher = openSubjectHasher(env)
  const lease = openTombstones(read, hasher, tombstonesKeptMs(env))
  if (registry !== undefined) registerTombstoneMetric(registry, lease)
  return erasureVisibility({ lease, hasher, tables: personalTables(streams) })
}

/** How far the group has stored each stream. */
function deliveryProgress (eventLog: EventLog, group: string): DeliveryProgress {
  const topicOf = (stream: string): string => {
    const topic = streams.find(({ name }) => name === stream)?.topic
    if (topic === undefined) throw new TypeError(`There is no stream ${stream}: the job asks for none that it has no tables of`)
    return topic
  }
  const offsets = (stream: string) => eventLog.offsets(topicOf(stream))
  return {
    ends: async (stream) => new Map((await offsets(stream)).map(({ partition, end }) => [partition, end])),
    stored: async (stream) => {
      const committed = await eventLog.committedOffsets(group, topicOf(stream))
      const begins = (await offsets(stream)).map(({ partition, begin }) => [partition, begin] as const)
      return new Map([...begins, ...committed.map(({ partition, offset }) => [partition, offset] as const)])
    }
  }
}
