import { clickHouseConfig, clickHouseSettings, createReadClient, createWriteClient } from '../clickhouse/index.ts'
import { connectSchemaRegistry } from '../contract/index.ts'
import { DeadLetters } from '../dead-letters/index.ts'
import { eventLogConfig, eventLogSettings } from '../eventlog/index.ts'
import { clickHouseQueryClient } from '../query-api/index.ts'
import { erasurePartSettings, openVisibility } from './erasure-part.ts'
import type { Static, TObject } from 'typebox'
import type { EventLog } from '../eventlog/index.ts'
import type { Closers } from './role.ts'

export const deadLetterSettings = { ...clickHouseSettings, ...eventLogSettings, ...erasurePartSettings }

export interface DeadLetterPartOptions {
  closers: Closers
  eventLog: EventLog
  now: () => number
}

/** The dead letters: read as the read-only user, retried into the log, noted as the user that inserts. */
export function openDeadLetters (
  env: Static<TObject<typeof deadLetterSettings>>, { closers, eventLog, now }: DeadLetterPartOptions
): DeadLetters {
  const config = clickHouseConfig(env)
  const reader = createReadClient(config)
  closers.add(() => reader.close())
  const writer = createWriteClient(config)
  closers.add(() => writer.close())
  const { schemaRegistryUrl, topic } = eventLogConfig(env)
  return new DeadLetters({
    reader: clickHouseQueryClient(reader, openVisibility(env, reader)),
    writer,
    eventLog,
    schemaRegistry: schemaRegistryUrl === undefined ? undefined : connectSchemaRegistry(schemaRegistryUrl),
    logRetentionMs: topic.retentionMs,
    retentionDays: config.retentionDays.raw,
    now
  })
}
