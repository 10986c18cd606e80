import { pino } from 'pino'
import pretty from 'pino-pretty'
import type { Logger } from 'pino'
import type { ProcessEnv } from './settings.ts'

/** A role's log: to standard output, one line an entry; what clients sent is escaped by JSON. */
export function createLog (role: string, settings: ProcessEnv): Logger {
  const { LOG_LEVEL: level, LOG_FORMAT: format } = settings
  const options = { level, base: { role } }
  const readable = format === 'pretty' || (format === 'auto' && process.stdout.isTTY)
  if (!readable) return pino(options)
  return pino(options, pretty({ ignore: 'role', messageFormat: '{role}: {msg}', sync: true }))
}
