import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { describeEventLog } from './conformance.ts'

describeEventLog('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const config = { directory, sessionTimeoutMs: 60_000, heartbeatMs: 100, writeTimeoutMs: 60_000 }
  const impatient = { ...config, sessionTimeoutMs: 2_000 }
  return {
    open: async () => openEmbeddedLog(config),
    openImpatient: async () => openEmbeddedLog(impatient),
    child: { module: fileURLToPath(new URL('embedded-open.ts', import.meta.url)), config: impatient },
    tooLargeBytes: 2 ** 20,
    deadlineMs: 60_000,
    close: async () => await rm(directory, { recursive: true })
  }
})
