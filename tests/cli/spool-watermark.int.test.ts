/** The watermark beside a spool, over a log double whose processors store everything at once. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SpoolingLog } from '../../eventlog/index.ts'
import { logWatermark } from '../../cli/log-watermark.ts'
import { MoodyLog } from '../eventlog/moody-log.ts'
import { until } from '../support/until.ts'
import type { LogWatermark } from '../../cli/log-watermark.ts'

const TOPIC = 'user_tags'
const DEADLINE_MS = 60_000

class StoredLog extends MoodyLog {
  async offsets () { return [{ partition: 0, begin: 0, end: this.stored.length }] }
  async committedOffsets () { return [{ partition: 0, offset: this.stored.length, metadata: '' }] }
}

let directory: string
let log: StoredLog
let spool: SpoolingLog
let watermark: LogWatermark
let nowMs: number

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-spool-watermark-'))
  log = new StoredLog()
  nowMs = 0
  spool = new SpoolingLog({
    log,
    directory,
    bytesMax: 1024 ** 2,
    recordBytesMax: 1_000,
    awayAfterMs: 50,
    mark: (_topic, record) => record,
    now: () => nowMs,
    logger: { info: () => {}, warn: () => {} }
  })
  watermark = logWatermark({
    eventLog: log,
    group: 'g',
    topics: new Map([[TOPIC, TOPIC]]),
    hasSpooled: (topic) => spool.hasSpooled(topic),
    now: () => nowMs
  })
})

afterEach(async () => {
  watermark.close()
  await spool.close()
  await rm(directory, { recursive: true })
})

const append = (value: string) => spool.append(TOPIC, [{
  key: Buffer.from('key'), value: Buffer.from(value), timestampMs: nowMs
}])

async function look (): Promise<number | undefined> {
  nowMs += 1_000
  return (await watermark.stateOf(TOPIC)).completeUpToMs
}

test('nothing is promised about the time after an event was spooled, until the log has it', async () => {
  await append('a')
  expect(await look()).toBe(1_000)
  log.mood = 'away'
  await expect(append('unknown')).rejects.toThrow()
  await append('b')
  // The log answers those who look at it again, and the spool has not noticed yet.
  expect(log.stored).toEqual(['a'])
  expect(await look()).toBe(1_000)
  log.mood = 'up'
  await until('the spool is forwarded', DEADLINE_MS, () => !spool.hasSpooled(TOPIC) || undefined)
  expect(log.stored).toEqual(['a', 'b'])
  expect(await look()).toBe(3_000)
})
