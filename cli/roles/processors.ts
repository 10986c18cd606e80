import { Registry } from 'prom-client'
import { clickHouseSettings } from '../../clickhouse/index.ts'
import {
  createClickHouseSink, createClickHouseStoredIds, processorConfig, processorSettings, startProcessor
} from '../../processors/index.ts'
import { defineRole, opening } from '../role.ts'
import { clickHouseCheck, openLogPart, openWriteClient } from '../parts.ts'
import { erasureSettings, recordErasures, registerTombstoneMetric } from '../../erasure/index.ts'
import { openSubjectHasher, openTombstones, tombstonesKeptMs } from '../erasure-part.ts'
import { eventLogSettings } from '../../eventlog/index.ts'
import { httpConfig, httpSettings } from '../../http/index.ts'
import { listen } from '../listen.ts'
import { kafkaCredentialsCheck } from '../settings-checks.ts'
import { processSettings } from '../settings.ts'
import { streams } from '../../contract/index.ts'

export const processorsRole = defineRole({
  name: 'processors',
  description: 'Land the log exactly once in ClickHouse',
  settings: {
    ...processSettings,
    ...httpSettings,
    ...eventLogSettings,
    ...clickHouseSettings,
    ...processorSettings,
    ...erasureSettings
  },
  checks: [kafkaCredentialsCheck],
  start: (env, { log }) => opening(async (closers) => {
    const registry = new Registry()
    const context = { log, closers, registry }
    const { eventLog, schemaRegistry, check } = await openLogPart(env, context)
    const client = openWriteClient(env, context)
    const config = processorConfig(env)
    const hasher = openSubjectHasher(env)
    const tombstones = openTombstones(client, hasher, tombstonesKeptMs(env))
    registerTombstoneMetric(registry, tombstones)
    const processor = await startProcessor({
      eventLog,
      streams,
      ...(schemaRegistry === undefined ? {} : { registry: schemaRegistry }),
      sink: createClickHouseSink(client, config.insertsMax),
      storedIdsOf: ({ tables, subject }) => createClickHouseStoredIds({ client, table: tables.raw, subject }),
      erasures: recordErasures(tombstones, hasher),
      config,
      metrics: registry,
      log,
      now: Date.now
    })
    closers.add(() => processor.stop())
    const url = await listen({
      log,
      http: httpConfig(env),
      health: {
        ready: [{ name: 'delivery', check: () => processor.checkReady() }],
        dependencies: [check, clickHouseCheck(client)]
      },
      registry,
      closers
    })
    return { url, close: () => closers.closeAll() }
  })
})
