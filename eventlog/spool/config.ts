import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { RECORD_BYTES_MAX } from '../kafka/settings.ts'
import { spoolPath } from './spool-store.ts'
import type { Static, TObject } from 'typebox'
import type { eventLogSettings } from '../config.ts'

/** Settings of a role that appends. */
export const spoolSettings = {
  SPOOL_BYTES_MAX: Type.Integer({
    default: 1024 ** 3,
    minimum: 0,
    description: 'Bytes of events on the local disk, in DATA_DIR: those that wait while the brokers are away, ' +
      'and those that the brokers then refused; 0 is none.'
  }),
  SPOOL_AFTER_MS: Type.Integer({
    default: 150,
    minimum: 10,
    description: 'An append that the brokers do not confirm for so long fails, and what follows goes to the local disk.'
  })
}

export interface SpoolConfig {
  directory: string
  bytesMax: number
  /** Key and value of one record, as the log takes it. */
  recordBytesMax: number
  awayAfterMs: number
}

/**
 * The spool's slice of a validated environment; undefined where there is none: the log is embedded (it is a
 * local disk itself), DATA_DIR does not exist, or the spool is switched off.
 */
export function spoolConfig (
  env: Static<TObject<typeof eventLogSettings & typeof spoolSettings>>
): SpoolConfig | undefined {
  const { KAFKA_BROKERS, DATA_DIR, SPOOL_BYTES_MAX, SPOOL_AFTER_MS } = env
  if (KAFKA_BROKERS === undefined || !existsSync(DATA_DIR)) return undefined
  const directory = join(DATA_DIR, 'spool')
  // What an earlier process left is forwarded even if no more is to be taken.
  if (SPOOL_BYTES_MAX === 0 && !existsSync(spoolPath(directory))) return undefined
  return {
    directory, bytesMax: SPOOL_BYTES_MAX, recordBytesMax: RECORD_BYTES_MAX, awayAfterMs: SPOOL_AFTER_MS
  }
}
