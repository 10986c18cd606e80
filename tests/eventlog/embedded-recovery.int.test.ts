/** The log after crashes of writer, thread and disk: what was acknowledged is there, a refused write not. */
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ABORT } from 'lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AppendClient } from '../../eventlog/embedded/append-client.ts'
import { LogWriter } from '../../eventlog/embedded/log-writer.ts'
import { SegmentFile, segmentPath } from '../../eventlog/embedded/segment-file.ts'
import { batchBytes, encodeBatch } from '../../eventlog/embedded/record-batch.ts'
import { monotonicMs } from '../../eventlog/embedded/append-message.ts'
import { openDurable } from '../../eventlog/embedded/environment.ts'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { until } from '../support/until.ts'
import { Member, readAll, record, texts } from './conformance-harness.ts'
import type { Append, AppendRequest, AppendThreadData } from '../../eventlog/embedded/append-message.ts'
import type { EmbeddedLogOptions, EventLog } from '../../eventlog/index.ts'

const DEADLINE_MS = 60_000
const DAY_MS = 24 * 3_600_000

let directory: string
let close: Array<() => Promise<unknown>>

beforeEach(async () => {
  close = []
  directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
})

afterEach(async () => {
  for (const step of close.reverse()) await step()
  await rm(directory, { recursive: true })
})

function open (options: Partial<EmbeddedLogOptions> = {}): EventLog {
  const log = openEmbeddedLog({ directory, heartbeatMs: 50, sessionTimeoutMs: DEADLINE_MS, ...options })
  close.push(async () => await log.close())
  return log
}

/** What a power cut leaves may be copied and damaged only where nobody has it open. */
async function appendAndClose (values: readonly string[]): Promise<void> {
  const log = openEmbeddedLog({ directory })
  await log.createTopics([{ name: 'topic', partitions: 1 }])
  for (const value of values) await log.append('topic', [record('k', value)])
  await log.close()
}

async function readTopic (log: EventLog): Promise<string[]> {
  const [{ begin, end } = { begin: 0, end: 0 }] = await log.offsets('topic')
  const member = await Member.join(log, 'reader', 'topic')
  close.push(async () => await member.stop())
  return texts(await readAll(await member.session(0, DEADLINE_MS), begin, end))
}

function threadData (data: Partial<AppendThreadData> = {}): AppendThreadData {
  return {
    database: {
      path: join(directory, 'topics.mdb'), mapSize: 2 ** 26, encoding: 'binary', keyEncoding: 'binary'
    },
    directory: join(directory, 'segments'),
    bytesMax: 2 ** 30,
    segmentBytes: 2 ** 20,
    ...data
  }
}

function appendOf (value: string): Append {
  const records = [record('k', value)]
  const buffer = Buffer.allocUnsafeSlow(batchBytes(records))
  const end = encodeBatch(records, buffer, 0)
  return { topicId: 0, batches: [{ partition: 0, records: 1, start: 0, end }], buffer }
}

function requestOf (value: string): AppendRequest {
  return { ...appendOf(value), id: 1, deadlineMs: monotonicMs() + DEADLINE_MS }
}

test('heads that a power cut took lose nothing: the next writer finds all that was acknowledged', async () => {
  await appendAndClose(['0', '1', '2'])
  await rm(join(directory, 'segments/heads'))
  const log = open()
  await log.checkAppend('topic')
  expect(await readTopic(log)).toEqual(['0', '1', '2'])
  expect(await log.append('topic', [record('k', '3')])).toEqual([{ partition: 0, offset: 3 }])
})

test('a head that is behind, and one that is torn, lose nothing', async () => {
  await appendAndClose(['0'])
  const heads = join(directory, 'segments/heads')
  await copyFile(heads, join(directory, 'behind'))
  await appendAndClose(['1', '2'])
  await copyFile(join(directory, 'behind'), heads)
  const log = openEmbeddedLog({ directory })
  expect(await log.offsets('topic')).toEqual([{ partition: 0, begin: 0, end: 1 }])
  await log.checkAppend('topic')
  expect(await log.offsets('topic')).toEqual([{ partition: 0, begin: 0, end: 3 }])
  await log.close()
  const torn = await readFile(heads)
  torn[5] = (torn[5] as number) ^ 0xff
  await writeFile(heads, torn)
  const again = open()
  await again.checkAppend('topic')
  expect(await readTopic(again)).toEqual(['0', '1', '2'])
})

test.each([1, 20, 60, 10_000])('a torn write of %i bytes behind the head is not seen, and is written over', async (bytes) => {
  await appendAndClose(['0', '1'])
  const path = segmentPath(join(directory, 'segments'), 0, 0)
  const segment = await readFile(path)
  const end = segment.findLastIndex((byte) => byte !== 0) + 1
  segment.fill(0xab, end, end + bytes)
  await writeFile(path, segment)
  const log = open()
  expect(await log.append('topic', [record('k', '2')])).toEqual([{ partition: 0, offset: 2 }])
  expect(await readTopic(log)).toEqual(['0', '1', '2'])
})

test('a disk that is full in the middle of a write refuses it whole, and the next append takes its place', async () => {
  await appendAndClose(['0'])
  let full = true
  const openSegment: typeof SegmentFile.openToWrite = (...place) => {
    const file = SegmentFile.openToWrite(...place)
    const write = file.write.bind(file)
    file.write = (parts, at) => {
      if (!full) return write(parts, at)
      write(parts.slice(0, 1), at)
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    }
    return file
  }
  const writer = new LogWriter(threadData(), { openSegment })
  close.push(async () => await writer.close())
  const log = open()
  expect(writer.append([requestOf('lost')])).toMatchObject([{ refusal: 'fault', fault: { code: 'ENOSPC' } }])
  expect(await log.offsets('topic')).toEqual([{ partition: 0, begin: 0, end: 1 }])
  full = false
  expect(writer.append([requestOf('1')])).toMatchObject([{ bases: [1] }])
  expect(await readTopic(log)).toEqual(['0', '1'])
})

test('a disk that fails once while a head is brought up fails that append alone', async () => {
  await appendAndClose(['0'])
  const heads = join(directory, 'segments/heads')
  await copyFile(heads, join(directory, 'behind'))
  await appendAndClose(['1', '2'])
  await copyFile(join(directory, 'behind'), heads)
  let failures = 1
  const rewritten: number[] = []
  const openSegment: typeof SegmentFile.openToWrite = (...place) => {
    const file = SegmentFile.openToWrite(...place)
    const rewrite = file.rewrite.bind(file)
    file.rewrite = (start, end) => {
      if (failures-- > 0) throw Object.assign(new Error('input/output error'), { code: 'EIO' })
      rewritten.push(end - start)
      rewrite(start, end)
    }
    return file
  }
  const writer = new LogWriter(threadData(), { openSegment })
  close.push(async () => await writer.close())
  expect(writer.append([requestOf('lost')])).toMatchObject([{ refusal: 'fault', fault: { code: 'EIO' } }])
  expect(writer.append([requestOf('3')])).toMatchObject([{ bases: [3] }])
  // Written anew, not synced once more: a sync reports an error of the disk only once.
  expect(rewritten).toEqual([expect.toSatisfy((bytes: number) => bytes > 0)])
  expect(await readTopic(open())).toEqual(['0', '1', '2', '3'])
})

/** Segments of a disk that takes the first write, and fails it. */
function failingOnce (): typeof SegmentFile.openToWrite {
  let failures = 1
  return (...place) => {
    const file = SegmentFile.openToWrite(...place)
    const write = file.write.bind(file)
    file.write = (parts, at) => {
      write(parts, at)
      if (failures-- > 0) throw Object.assign(new Error('input/output error'), { code: 'EIO' })
    }
    return file
  }
}

/** A database of a disk that is full while `isFull` says so. */
function fillable (isFull: () => boolean): typeof openDurable<Buffer, Buffer> {
  return (options) => {
    const database = openDurable<Buffer, Buffer>(options)
    const transact = database.transactionSync.bind(database)
    database.transactionSync = (work) => transact(() => {
      const outcome = work()
      if (!isFull() || (outcome as unknown) === ABORT) return outcome
      throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    })
    return database
  }
}

test('a segment that the disk fails to write is sealed where it was durable, and a new one is begun', async () => {
  await appendAndClose(['0'])
  const openSegment = failingOnce()
  const writer = new LogWriter(threadData(), { openSegment })
  close.push(async () => await writer.close())
  expect(writer.append([requestOf('lost')])).toMatchObject([{ refusal: 'fault', fault: { code: 'EIO' } }])
  const segments = join(directory, 'segments')
  const before = await readFile(segmentPath(segments, 0, 0))
  expect(writer.append([requestOf('1')])).toMatchObject([{ bases: [1] }])
  expect((await readFile(segmentPath(segments, 0, 0))).equals(before)).toBe(true)
  expect((await readFile(segmentPath(segments, 0, 1))).length).toBeGreaterThan(0)
  expect(await readTopic(open())).toEqual(['0', '1'])
})

test('a segment that the disk fails to write is written no more, though a new one cannot be begun yet', async () => {
  await appendAndClose(['0'])
  let full = true
  const faults = { openSegment: failingOnce(), openDatabase: fillable(() => full) }
  const writer = new LogWriter(threadData(), faults)
  close.push(async () => await writer.close())
  expect(writer.append([requestOf('lost')])).toMatchObject([{ refusal: 'fault', fault: { code: 'EIO' } }])
  const before = await readFile(segmentPath(join(directory, 'segments'), 0, 0))
  expect(writer.append([requestOf('lost too')])).toMatchObject([{ refusal: 'fault', fault: { code: 'ENOSPC' } }])
  full = false
  expect(writer.append([requestOf('1')])).toMatchObject([{ bases: [1] }])
  expect((await readFile(segmentPath(join(directory, 'segments'), 0, 0))).equals(before)).toBe(true)
  expect(await readTopic(open())).toEqual(['0', '1'])
})

test('segments that retention gave up before it was killed are deleted by the next writer, others are not', async () => {
  await appendAndClose(['0'])
  const segments = join(directory, 'segments')
  // The catalog begins with segment 2 from here on.
  const now = () => Date.now() + 30 * DAY_MS
  const retention = openEmbeddedLog({ directory, segmentBytes: 1, retentionIntervalMs: 0, now })
  for (const value of ['1', '2']) await retention.append('topic', [record('k', value)])
  await until('segment 0 is gone', DEADLINE_MS, () => existsSync(segmentPath(segments, 0, 0)) ? undefined : true)
  await retention.close()
  for (const name of ['0-0.segment', '9-0.segment', 'notes']) await writeFile(join(segments, name), 'left behind')
  const log = open()
  await log.checkAppend('topic')
  expect((await readdir(segments)).filter((name) => name === '0-0.segment')).toEqual([])
  expect(await readdir(segments)).toEqual(expect.arrayContaining(['9-0.segment', 'notes']))
  expect(await log.append('topic', [record('k', '3')])).toEqual([{ partition: 0, offset: 3 }])
})

test('a new segment that cannot be committed refuses the append, and loses nothing before it', async () => {
  await appendAndClose(['0'])
  let full = true
  const writer = new LogWriter(threadData({ segmentBytes: 1 }), { openDatabase: fillable(() => full) })
  close.push(async () => await writer.close())
  const log = open()
  expect(writer.append([requestOf('lost')])).toMatchObject([{ refusal: 'fault', fault: { code: 'ENOSPC' } }])
  expect(await log.offsets('topic')).toEqual([{ partition: 0, begin: 0, end: 1 }])
  full = false
  expect(writer.append([requestOf('1')])).toMatchObject([{ bases: [1] }])
  expect(await readTopic(log)).toEqual(['0', '1'])
})

test('a thread that crashes refuses what waits for it, and the next append starts another', async () => {
  await appendAndClose(['0'])
  const client = new AppendClient({ ...threadData(), writeTimeoutMs: DEADLINE_MS })
  close.push(async () => await client.close())
  expect(await client.append(appendOf('1'))).toEqual([1])
  client.start().postMessage(null)
  await expect(client.append(appendOf('refused'))).rejects.toMatchObject({ code: 'log_unavailable', retryable: true })
  expect(await client.append(appendOf('2'))).toEqual([2])
  expect(await readTopic(open())).toEqual(['0', '1', '2'])
})
