/** What an operator sees of an embedded log that is full, from a start with it on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, expect, test } from 'vitest'
import { userTags } from '../../contract/index.ts'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { buildServer } from '../../cli/listen.ts'
import { openIngestPart } from '../../cli/parts.ts'
import { ingestRole } from '../../cli/roles/ingest.ts'
import { Closers } from '../../cli/role.ts'
import { loadSettings } from '../../cli/settings.ts'
import { TAG } from '../support/ingest-server.ts'

const BYTES_MAX = 16 * 2 ** 20
const RECORD_BYTES = 2 ** 20 - 1024

const directory = mkdtempSync(join(tmpdir(), 'millrace-full-'))
const closers = new Closers()

afterEach(async () => {
  await closers.closeAll()
  rmSync(directory, { recursive: true, force: true })
})

test('a log that is full at the start: events are refused as log_full, readiness and metrics say why', async () => {
  const log = openEmbeddedLog({ directory: join(directory, 'log'), bytesMax: BYTES_MAX })
  await log.createTopics([{ name: userTags.topic, partitions: 1 }])
  const record = { key: Buffer.from('k'), value: Buffer.alloc(RECORD_BYTES), timestampMs: Date.now() }
  for (let count = 0; count < 16; count++) await log.append(userTags.topic, [record])
  const left = BYTES_MAX - (log.size?.().bytes ?? 0) - 200
  await log.append(userTags.topic, [{ ...record, value: Buffer.alloc(left) }])
  await log.close()

  const env = loadSettings(ingestRole.settings, {
    DATA_DIR: directory, LOG_BYTES_MAX: String(BYTES_MAX), INGEST_BUDGET_MS: '60000'
  })
  const context = { log: pino({ level: 'silent' }), registry: new Registry(), closers }
  const part = await openIngestPart(env, context)
  const server = await buildServer({ ...context, health: part, routes: part.routes })
  closers.add(async () => { await server.close() })

  const refused = await server.inject({ method: 'POST', url: '/user_tags', payload: TAG })
  expect([refused.statusCode, refused.json().code]).toEqual([503, 'log_full'])
  const ready = await server.inject('/health/ready')
  expect(ready.statusCode).toBe(503)
  expect(ready.json().checks).toContainEqual({
    name: 'appends to user_tags', ok: false, reason: `The embedded log is full: it may hold ${BYTES_MAX} bytes`
  })
  const metrics = (await server.inject('/metrics')).body
  expect(metrics).toMatch(new RegExp(`^millrace_log_bytes_max ${BYTES_MAX}$`, 'm'))
  expect(Number(/^millrace_log_bytes (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0.99 * BYTES_MAX)
})
