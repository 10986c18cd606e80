import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { describeEventLog } from './conformance.ts'

describeEventLog('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const config = { directory, sessionTimeoutMs: 1000, heartbeatMs: 100 }
  return {
    open: async () => openEmbeddedLog(config),
    child: { module: fileURLToPath(new URL('embedded-open.ts', import.meta.url)), config },
    tooLargeBytes: 2 ** 20,
    deadlineMs: 10_000,
    close: async () => await rm(directory, { recursive: true })
  }
})
