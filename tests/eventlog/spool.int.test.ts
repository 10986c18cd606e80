/** A log with a spool, over a log double that is up, away or silent as the test says. */
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeRejected } from '../../contract/index.ts'
import { LogUnavailableError, RecordTooLargeError, SpoolingLog } from '../../eventlog/index.ts'
import { until } from '../support/until.ts'
import { MoodyLog } from './moody-log.ts'
import type { AppendRecord, SpoolOptions } from '../../eventlog/index.ts'
import type { Mood } from './moody-log.ts'

const TOPIC = 'user_tags'
const DEADLINE_MS = 60_000
const QUIET = { info: () => {}, warn: () => {} }

let directory: string
let close: Array<() => Promise<unknown>>

beforeEach(async () => {
  close = []
  directory = await mkdtemp(join(tmpdir(), 'millrace-spool-'))
})

afterEach(async () => {
  for (const step of close.reverse()) await step()
  await rm(directory, { recursive: true })
})

function open (log: MoodyLog, options: Partial<SpoolOptions> = {}): SpoolingLog {
  const spool = new SpoolingLog({
    log,
    directory,
    bytesMax: 1024 ** 2,
    recordBytesMax: 100_000,
    awayAfterMs: 50,
    mark: (_topic, record) => ({ ...record, value: Buffer.concat([Buffer.from('spooled '), record.value]) }),
    now: () => 1,
    logger: QUIET,
    ...options
  })
  close.push(() => spool.close())
  return spool
}

function record (value: string): AppendRecord {
  return { key: Buffer.from('key'), value: Buffer.from(value), timestampMs: 1 }
}

function append (spool: SpoolingLog, ...values: string[]): Promise<void> {
  return spool.append(TOPIC, values.map(record))
}

async function drained (spool: SpoolingLog): Promise<void> {
  await until('the spool is forwarded', DEADLINE_MS, () => spool.states().every((state) => !state.spooling) || undefined)
}

test('while the log answers, appends go to it, unmarked', async () => {
  const log = new MoodyLog()
  const spool = open(log)
  await append(spool, 'a', 'b')
  expect(log.stored).toEqual(['a', 'b'])
  const nothing = { forwarded: 0, refused: 0, records: 0, bytes: 0 }
  expect(spool.states()).toEqual([{ topic: TOPIC, spooling: false, ...nothing }])
})

test('what follows a failed append waits in the spool and reaches the log first, in its order', async () => {
  const log = new MoodyLog()
  const spool = open(log)
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow(LogUnavailableError)
  await append(spool, 'a', 'b')
  await append(spool, 'c')
  expect(spool.states()[0]).toMatchObject({ spooling: true, records: 3 })
  await expect(spool.checkAppend(TOPIC)).resolves.toBeUndefined()
  log.mood = 'up'
  await drained(spool)
  await append(spool, 'd')
  expect(log.stored).toEqual(['spooled a', 'spooled b', 'spooled c', 'd'])
  expect(spool.states()[0]).toMatchObject({ forwarded: 3, records: 0, bytes: 0 })
})

test('an append that the log does not answer fails in time, and the next one is spooled', async () => {
  const log = new MoodyLog()
  const spool = open(log)
  log.mood = 'silent'
  await expect(append(spool, 'unknown')).rejects.toThrow('did not confirm within 50 ms')
  await append(spool, 'a')
  log.mood = 'away'
  expect(spool.states()[0]).toMatchObject({ spooling: true, records: 1 })
})

test('a forward of which the confirmation was lost is repeated, with its mark', async () => {
  const log = new MoodyLog()
  const spool = open(log)
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow()
  await append(spool, 'a')
  log.mood = 'lost'
  await until('a forward was tried', DEADLINE_MS, () => log.stored.length > 0 || undefined)
  log.mood = 'up'
  await drained(spool)
  expect(new Set(log.stored)).toEqual(new Set(['spooled a']))
  expect(log.stored.length).toBeGreaterThan(1)
})

/** Ends with the log away and `a` and `b` in the spool. */
async function expectRoomForTwo (spool: ReturnType<typeof open>, log: MoodyLog): Promise<void> {
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow()
  await append(spool, 'a')
  await append(spool, 'b')
  await expect(append(spool, 'c')).rejects.toThrow('The spool is full')
  await expect(spool.checkAppend(TOPIC)).rejects.toThrow(LogUnavailableError)
}

test('a full spool refuses what does not fit, keeps what it has, and is not ready', async () => {
  const log = new MoodyLog()
  const spool = open(log, { bytesMax: 8192 })
  await expectRoomForTwo(spool, log)
  log.mood = 'up'
  await drained(spool)
  await append(spool, 'd')
  expect(log.stored).toEqual(['spooled a', 'spooled b', 'd'])
})

test('what is spooled outlives its process, and is forwarded by the next one before anything else', async () => {
  const log = new MoodyLog()
  log.mood = 'away'
  const first = open(log)
  await expect(append(first, 'unknown')).rejects.toThrow()
  await append(first, 'a')
  // The file as a process that is killed now would leave it.
  const crashed = join(directory, 'crashed')
  await mkdir(crashed)
  await copyFile(join(directory, 'spool.mdb'), join(crashed, 'spool.mdb'))
  await first.close()
  const second = open(log, { directory: crashed })
  await append(second, 'b')
  log.mood = 'up'
  await drained(second)
  await append(second, 'c')
  expect(log.stored).toEqual(['spooled a', 'spooled b', 'c'])
})

test('what was spooled by a clock that ran ahead is forwarded when the clock is right, and holds up nothing', async () => {
  const log = new MoodyLog()
  let nowMs = 7_200_000
  log.latestMs = 3_600_000
  const spool = open(log, { now: () => nowMs })
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow()
  await spool.append(TOPIC, [{ ...record('early'), timestampMs: nowMs }])
  log.mood = 'up'
  await append(spool, 'later')
  nowMs = 60_000
  await drained(spool)
  expect(log.stored).toEqual(['spooled early', 'spooled later'])
})

test('two processes that share a directory lose nothing of each other', async () => {
  const log = new MoodyLog()
  log.mood = 'away'
  const [one, other] = [open(log), open(log)]
  for (const spool of [one, other]) await expect(append(spool, 'unknown')).rejects.toThrow()
  for (const value of ['1', '2', '3']) {
    await append(one, `one ${value}`)
    await append(other, `other ${value}`)
  }
  log.mood = 'up'
  await Promise.all([drained(one), drained(other)])
  expect(new Set(log.stored)).toEqual(new Set(['1', '2', '3'].flatMap((value) => {
    return [`spooled one ${value}`, `spooled other ${value}`]
  })))
  expect(one.states()[0]).toMatchObject({ records: 0, bytes: 0 })
})

test('a batch that the brokers find too large is forwarded in parts, in its order', async () => {
  const log = new MoodyLog()
  log.bytesMax = 25
  const spool = open(log)
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow()
  await append(spool, 'a', 'b', 'c')
  await append(spool, 'd')
  log.mood = 'up'
  await drained(spool)
  expect(log.stored).toEqual(['spooled a', 'spooled b', 'spooled c', 'spooled d'])
  expect(spool.states()[0]).toMatchObject({ forwarded: 4, refused: 0 })
})

test('a record that the brokers find too large becomes a dead letter, keeps its bytes, and holds up nothing', async () => {
  const log = new MoodyLog()
  log.bytesMax = 20_000
  const spool = open(log)
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow()
  const large = 'x'.repeat(30_000)
  await append(spool, 'a', large, 'b')
  log.mood = 'up'
  await drained(spool)
  expect([log.stored[0], log.stored[2]]).toEqual(['spooled a', 'spooled b'])
  const rejected = decodeRejected(Buffer.from(log.stored[1] as string, 'latin1'))
  expect(rejected?.detail).toContain('too large')
  const file = /refused\/\S+/.exec(rejected?.request ?? '')?.[0] as string
  expect(await readFile(join(directory, file), 'utf8')).toBe(`spooled ${large}`)
  expect(spool.states()[0]).toMatchObject({ forwarded: 3, refused: 1, spooling: false })
})

test('what the log refused counts as what waits does, also after a restart, until it is removed', async () => {
  const log = new MoodyLog()
  log.bytesMax = 20_000
  const first = open(log, { bytesMax: 40_960 })
  log.mood = 'away'
  await expect(append(first, 'unknown')).rejects.toThrow()
  await append(first, 'x'.repeat(30_000))
  log.mood = 'up'
  await drained(first)
  expect(first.refusedBytes).toBe(32_768)
  await first.close()
  const spool = open(log, { bytesMax: 40_960 })
  await expectRoomForTwo(spool, log)
  await rm(join(directory, 'refused'), { recursive: true })
  await until('there is room again', DEADLINE_MS, () => append(spool, 'd').then(() => true, () => undefined))
  log.mood = 'up'
  await drained(spool)
  expect(log.stored.slice(1)).toEqual(['spooled a', 'spooled b', 'spooled d'])
})

test('what the log would not take the spool does not take either', async () => {
  const log = new MoodyLog()
  const spool = open(log, { recordBytesMax: 100 })
  log.mood = 'away'
  await expect(append(spool, 'unknown')).rejects.toThrow()
  await expect(append(spool, 'a', 'x'.repeat(101))).rejects.toThrow(RecordTooLargeError)
  expect(spool.states()[0]).toMatchObject({ records: 0 })
})

test('topics that cannot be created at the start are created before anything is forwarded', async () => {
  const log = new MoodyLog()
  log.mood = 'away'
  const spool = open(log)
  await spool.createTopics([{ name: TOPIC, partitions: 1 }])
  await append(spool, 'a')
  const created: string[] = []
  log.createTopics = async () => { created.push(...log.stored, 'topics') }
  log.mood = 'up'
  await drained(spool)
  expect([...created, ...log.stored]).toEqual(['topics', 'spooled a'])
})

test('whatever the log does, what was acknowledged is in it, in order', async () => {
  const moods = fc.constantFrom<Mood>('up', 'up', 'away', 'silent', 'lost')
  await fc.assert(fc.asyncProperty(fc.array(moods, { minLength: 1, maxLength: 12 }), async (sequence) => {
    const own = await mkdtemp(join(directory, 'run-'))
    const log = new MoodyLog()
    const spool = open(log, { directory: own, awayAfterMs: 5 })
    const acknowledged: string[] = []
    for (const [index, mood] of sequence.entries()) {
      log.mood = mood
      const value = String(index)
      await append(spool, value).then(() => acknowledged.push(value), () => {})
    }
    log.mood = 'up'
    await drained(spool)
    const inLog = [...new Set(log.stored.map((value) => value.replace('spooled ', '')))]
    expect(inLog.filter((value) => acknowledged.includes(value))).toEqual(acknowledged)
    await spool.close()
  }), { numRuns: 30 })
}, 600_000)
