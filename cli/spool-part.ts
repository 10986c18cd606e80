import { SpoolingLog, registerSpoolMetrics, spoolConfig } from '../eventlog/index.ts'
import { createEncoder, streams } from '../contract/index.ts'
import { createSpoolMark } from '../ingest/index.ts'
import { makeDataFolder } from './data-folder.ts'
import type { Static, TObject } from 'typebox'
import type { SchemaRegistry } from '../contract/index.ts'
import type { EventLog, eventLogSettings, spoolSettings } from '../eventlog/index.ts'
import type { AppendTarget } from '../ingest/index.ts'
import type { HealthCheck } from '../http/index.ts'
import type { PartContext } from './parts.ts'

/** What ingest appends to: the log, or the log with its spool. */
export interface AppendingLog extends AppendTarget, Pick<EventLog, 'checkAppend' | 'createTopics'> {}

export interface SpoolPart {
  log: AppendingLog
  /** Shows what waits; none where there is no spool. */
  checks: HealthCheck[]
  /** Whether accepted events of a topic wait in it. */
  hasSpooled: (topic: string) => boolean
}

/** The log with its spool, where the settings give it one, else the log as it is. */
export async function openSpoolPart (
  env: Static<TObject<typeof eventLogSettings & typeof spoolSettings>>,
  { log, closers, registry }: PartContext,
  { eventLog, schemaRegistry }: { eventLog: EventLog, schemaRegistry: SchemaRegistry | undefined }
): Promise<SpoolPart> {
  const config = spoolConfig(env)
  if (config === undefined) return { log: eventLog, checks: [], hasSpooled: () => false }
  makeDataFolder(env.DATA_DIR)
  const mark = await createSpoolMark(streams, (stream) => createEncoder(stream, schemaRegistry))
  const spool = new SpoolingLog({ ...config, log: eventLog, mark, now: Date.now, logger: log })
  closers.add(() => spool.close())
  registerSpoolMetrics(registry, spool)
  return {
    log: spool,
    checks: [{ name: 'spool', check: async () => describe(spool) }],
    hasSpooled: (topic) => spool.hasSpooled(topic)
  }
}

function describe (spool: SpoolingLog): string {
  const waiting = spool.states().filter(({ spooling }) => spooling)
  const notes = waiting.map(({ topic, records }) => `${records} events of ${topic} wait for the brokers`)
  const { refusedBytes } = spool
  if (refusedBytes > 0) notes.push(`events that the brokers refused take ${refusedBytes} bytes of its room`)
  return notes.length === 0 ? 'empty' : notes.join(', ')
}
