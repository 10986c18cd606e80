/** The LMDB write lock: what happens while its holder stands still, and after its holder is killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { Member, record } from './conformance-harness.ts'
import { until } from '../support/until.ts'
import type { ChildProcess } from 'node:child_process'
import type { EventLog } from '../../eventlog/index.ts'

const DEADLINE_MS = 60_000
/** What a write may take of a log that a test holds up. */
const HASTY_MS = 300

async function holdLock (path: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('embedded-lock-holder.ts', import.meta.url))
  const holder = spawn(process.execPath, [script, path, String(2 ** 26)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout as NodeJS.ReadableStream, 'data')
  return holder
}

async function kill (holder: ChildProcess): Promise<void> {
  const gone = once(holder, 'close')
  holder.kill('SIGKILL')
  await gone
}

/** A log of one topic with one record. */
async function holdingOne (directory: string): Promise<EventLog> {
  const log = openEmbeddedLog({ directory, writeTimeoutMs: DEADLINE_MS })
  await log.createTopics([{ name: 'topic', partitions: 1 }])
  await log.append('topic', [record('k', 'before')])
  return log
}

test('append is refused, not hung, while a writer stands still, and goes on once that writer is killed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const patient = await holdingOne(directory)
  const log = openEmbeddedLog({ directory, writeTimeoutMs: HASTY_MS })
  const holder = await holdLock(join(directory, 'topics.mdb'))
  await expect(log.append('topic', [record('k', 'meanwhile')])).rejects
    .toMatchObject({ code: 'log_unavailable', retryable: true })
  expect(await log.offsets('topic')).toEqual([{ partition: 0, begin: 0, end: 1 }])
  await kill(holder)
  const location = await until('the next append', DEADLINE_MS, async () =>
    await log.append('topic', [record('k', 'after')]).then(([first]) => first, () => undefined))
  // The refused append came too late, so it stored nothing.
  expect(location).toEqual({ partition: 0, offset: 1 })
  await log.close()
  await patient.close()
  await rm(directory, { recursive: true })
})

test('what a writer that stands still holds counts against the bound, waited for or not', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const patient = await holdingOne(directory)
  const log = openEmbeddedLog({ directory, writeTimeoutMs: HASTY_MS, pendingBytesMax: 5_000 })
  const holder = await holdLock(join(directory, 'topics.mdb'))
  const refusals: string[] = []
  for (let round = 0; round < 8; round++) {
    await log.append('topic', [record('k', 'x'.repeat(1_000))]).catch((error: Error) => refusals.push(error.message))
  }
  expect(refusals.filter((text) => text.includes('did not commit'))).toHaveLength(4)
  expect(refusals.filter((text) => text.includes('Too many appends are waiting'))).toHaveLength(4)
  await kill(holder)
  await until('the next append', DEADLINE_MS, async () =>
    await log.append('topic', [record('k', 'after')]).then(() => true as const, () => undefined))
  await log.close()
  await patient.close()
  await rm(directory, { recursive: true })
})

test('ingest goes on while a processor stands still in the middle of a commit', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const patient = await holdingOne(directory)
  const beats = { heartbeatMs: 50, sessionTimeoutMs: DEADLINE_MS }
  const log = openEmbeddedLog({ directory, writeTimeoutMs: HASTY_MS, ...beats })
  const member = await Member.join(log, 'group', 'topic')
  const session = await member.session(0, DEADLINE_MS)
  const holder = await holdLock(join(directory, 'groups.mdb'))
  await expect(session.commit({ offset: 0, metadata: '' })).rejects.toMatchObject({ code: 'log_unavailable' })
  expect(await patient.append('topic', [record('k', 'v')])).toEqual([{ partition: 0, offset: 1 }])
  await kill(holder)
  await until('the next commit', DEADLINE_MS, async () =>
    await session.commit({ offset: 1, metadata: 'again' }).then(() => true as const, () => undefined))
  expect(await log.committedOffsets('group', 'topic')).toEqual([{ partition: 0, offset: 1, metadata: 'again' }])
  await log.close()
  await patient.close()
  await rm(directory, { recursive: true })
})
