/** Opens the embedded log in a child process of the conformance suite. */
import { openEmbeddedLog } from '../../eventlog/index.ts'
import type { EmbeddedLogOptions, EventLog } from '../../eventlog/index.ts'

export async function openEventLog (config: unknown): Promise<EventLog> {
  return openEmbeddedLog(config as EmbeddedLogOptions)
}
