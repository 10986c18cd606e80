/** What only the embedded log promises: retention, its bounds, quick failover, kill -9 of lock holders. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import { Child, Member, aborted, readAll, record, texts } from './conformance-harness.ts'
import { until } from '../support/until.ts'
import type { EmbeddedLogOptions, EventLog, PartitionSession } from '../../eventlog/index.ts'

const DEADLINE_MS = 60_000
/** No machine stands still for so long. */
const SESSION_MS = 60_000
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
  const log = openEmbeddedLog({ directory, heartbeatMs: 50, sessionTimeoutMs: SESSION_MS, ...options })
  close.push(async () => await log.close())
  return log
}

function child (command: ConstructorParameters<typeof Child>[1]): Child {
  const module = fileURLToPath(new URL('embedded-open.ts', import.meta.url))
  const started = new Child({ child: { module, config: { directory, heartbeatMs: 50 } } }, command)
  close.push(async () => await started.signal('SIGKILL'))
  return started
}

async function newTopic (log: EventLog, partitions = 1, retentionMs?: number): Promise<string> {
  const name = `topic-${randomUUID()}`
  await log.createTopics([{ name, partitions, ...(retentionMs === undefined ? {} : { retentionMs }) }])
  return name
}

async function begins (log: EventLog, topic: string): Promise<number[]> {
  return (await log.offsets(topic)).map(({ begin }) => begin)
}

test('records older than the retention go, younger ones and other topics stay', async () => {
  let now = Date.now()
  // An append to a segment: whole ones are deleted.
  const log = open({ now: () => now, retentionIntervalMs: 0, segmentBytes: 1 })
  const [short, long] = [await newTopic(log, 1, DAY_MS), await newTopic(log, 1, 30 * DAY_MS)]
  for (const topic of [short, long]) {
    await log.append(topic, [record('k', 'old 0'), record('k', 'old 1')])
    await log.append(topic, [{ ...record('k', 'young'), timestampMs: now + DAY_MS }])
  }
  now += DAY_MS + 60_000
  await log.append(long, [{ ...record('k', 'now'), timestampMs: now }])
  await until('the old batch is gone', DEADLINE_MS, async () =>
    (await begins(log, short))[0] === 2 ? true : undefined)
  expect(await begins(log, long)).toEqual([0])
  const member = await Member.join(log, 'group', short)
  const session = await member.session(0, DEADLINE_MS)
  expect(session.committed).toEqual({ offset: 2, metadata: '' })
  expect(texts(await readAll(session, 0, 3))).toEqual(['young'])
})

test('a segment that never fills keeps no record longer than an eighth beyond the retention', async () => {
  let now = Date.now()
  const log = open({ now: () => now, retentionIntervalMs: 0, retentionMs: DAY_MS })
  const [topic, other] = [await newTopic(log), await newTopic(log)]
  const append = async (to: string, value: string) => {
    await log.append(to, [{ ...record('k', value), timestampMs: now }])
  }
  await append(topic, 'old')
  now += DAY_MS / 8 + 1
  await append(other, 'lets retention look')
  await append(topic, 'young')
  now += DAY_MS * 7 / 8
  await append(other, 'and again')
  await until('the old one is gone', DEADLINE_MS, async () =>
    (await begins(log, topic))[0] === 1 ? true : undefined)
})

test('records of the future go one retention after they were seen, and keep nothing that came after them', async () => {
  const startMs = Date.now()
  let now = startMs
  const log = open({ now: () => now, retentionIntervalMs: 0, retentionMs: DAY_MS, segmentBytes: 1 })
  const [topic, other] = [await newTopic(log), await newTopic(log)]
  await log.append(topic, [{ ...record('k', 'of a clock that ran ahead'), timestampMs: now + 400 * DAY_MS }])
  await log.append(topic, [{ ...record('k', 'young'), timestampMs: now }])
  const look = async () => await log.append(other, [{ ...record('k', 'lets retention look'), timestampMs: now }])
  await look()
  await look()
  now += DAY_MS / 2
  await look()
  expect(await begins(log, topic)).toEqual([0])
  now += DAY_MS
  await until('both are gone', DEADLINE_MS, async () => {
    await look()
    return (await begins(log, topic))[0] === 2 ? true : undefined
  })
})

test('a record of the future that the clock has caught up with stays as long as any', async () => {
  let now = Date.now() - 10 * DAY_MS
  const log = open({ now: () => now, retentionIntervalMs: 0, retentionMs: DAY_MS, segmentBytes: 1 })
  const [topic, other] = [await newTopic(log), await newTopic(log)]
  const look = async () => await log.append(other, [{ ...record('k', 'lets retention look'), timestampMs: now }])
  // This machine's clock is what was wrong.
  await log.append(topic, [{ ...record('k', 'now'), timestampMs: now + 10 * DAY_MS }])
  await look()
  await look()
  now += 10 * DAY_MS
  await look()
  await look()
  await log.checkAppend(topic)
  expect(await begins(log, topic)).toEqual([0])
})

test('an emptied partition keeps counting: begin and end stay where the next record goes', async () => {
  let now = Date.now()
  const log = open({ now: () => now, retentionIntervalMs: 0, retentionMs: DAY_MS })
  const [topic, other] = [await newTopic(log), await newTopic(log)]
  await log.append(topic, [record('k', '0'), record('k', '1')])
  now += 2 * DAY_MS
  await log.append(other, [{ ...record('k', 'now'), timestampMs: now }])
  await until('it is empty', DEADLINE_MS, async () => (await begins(log, topic))[0] === 2 ? true : undefined)
  expect(await log.offsets(topic)).toEqual([{ partition: 0, begin: 2, end: 2 }])
  expect(await log.append(topic, [{ ...record('k', '2'), timestampMs: now }])).toEqual([{ partition: 0, offset: 2 }])
})

test('a full log refuses appends as unavailable, stores no part of them, and goes on after retention', async () => {
  let now = Date.now()
  const log = open({ now: () => now, retentionIntervalMs: 0, retentionMs: DAY_MS, bytesMax: 10_000 })
  const topic = await newTopic(log, 4)
  const call = Array.from({ length: 4 }, (_, index) => record(`key-${index}`, 'x'.repeat(1000)))
  await log.append(topic, call)
  await log.append(topic, call)
  const before = await log.offsets(topic)
  await expect(log.append(topic, call)).rejects.toMatchObject({
    code: 'log_unavailable', retryable: true, cause: { code: 'log_full' }
  })
  expect(await log.offsets(topic)).toEqual(before)
  now += 2 * DAY_MS
  await until('there is room again', DEADLINE_MS, async () => {
    return await log.append(topic, call).then(() => true as const, () => undefined)
  })
})

test('a full log that nobody appends to any more is ready again after retention', async () => {
  let now = Date.now()
  const filling = open({ now: () => now, retentionMs: DAY_MS })
  const topic = await newTopic(filling)
  await filling.append(topic, [record('k', 'x'.repeat(1000))])
  const log = open({ now: () => now, retentionIntervalMs: 0, retentionMs: DAY_MS, bytesMax: 900 })
  await expect(log.checkAppend(topic)).rejects.toMatchObject({ cause: { code: 'log_full' } })
  now += 2 * DAY_MS
  await until('it is ready', DEADLINE_MS, async () => {
    return await log.checkAppend(topic).then(() => true as const, () => undefined)
  })
})

test('a log that takes no batch any more is not ready, though an event would still fit', async () => {
  const log = open({ bytesMax: 16_000 })
  const topic = await newTopic(log)
  await log.append(topic, [record('k', 'x'.repeat(15_200))])
  await expect(log.checkAppend(topic)).rejects.toMatchObject({ cause: { code: 'log_full' } })
  await log.append(topic, [record('k', 'small')])
})

test('says how many bytes it holds, over all topics and segments, in every process', async () => {
  const log = open({ bytesMax: 50_000, segmentBytes: 2500 })
  const empty = log.size?.()
  for (const topic of [await newTopic(log), await newTopic(log)]) {
    for (let call = 0; call < 3; call++) await log.append(topic, [record('k', 'x'.repeat(1000))])
  }
  const full = log.size?.()
  expect(empty).toEqual({ bytes: 0, bytesMax: 50_000 })
  expect(full?.bytes).toBeGreaterThan(6000)
  expect(full?.bytes).toBeLessThan(7000)
  expect(open({ bytesMax: 50_000 }).size?.()).toEqual(full)
})

test('warns once that it becomes full, before it refuses anything', async () => {
  const warnings: object[] = []
  const warn = (fields: object): void => { warnings.push(fields) }
  const log = open({ bytesMax: 10_000, sizeIntervalMs: 0, log: { warn } })
  const topic = await newTopic(log)
  const append = async () => await log.append(topic, [record('k', 'x'.repeat(1000))])
  for (let call = 0; call < 8; call++) await append()
  expect(warnings).toEqual([])
  await append()
  expect(warnings).toEqual([{ bytes: expect.any(Number), bytesMax: 10_000 }])
  await expect(append()).rejects.toMatchObject({ cause: { code: 'log_full' } })
  expect(warnings).toHaveLength(1)
})

test('more waiting bytes than the bound are refused as unavailable', async () => {
  const log = open({ pendingBytesMax: 5000 })
  const topic = await newTopic(log)
  const calls = Array.from({ length: 10 }, async () => await log.append(topic, [record('k', 'x'.repeat(1000))]))
  const outcomes = await Promise.allSettled(calls)
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
  expect(outcomes.at(-1)).toMatchObject({ reason: { code: 'log_unavailable' } })
  expect(await log.append(topic, [record('k', 'later')])).toEqual([{ partition: 0, offset: 4 }])
})

test('a topic that nobody created is an error of its own', async () => {
  const log = open()
  const unknown = { code: 'unknown_topic', retryable: false }
  await expect(log.append('nowhere', [record('k', 'v')])).rejects.toMatchObject(unknown)
  await expect(log.offsets('nowhere')).rejects.toMatchObject(unknown)
  const onPartition = async (): Promise<void> => {}
  await expect(log.consume({ group: 'g', topics: ['nowhere'], onError: () => {}, onPartition })).rejects
    .toMatchObject(unknown)
})

test('a clean stop hands the partitions over without waiting for the session timeout', async () => {
  const patient = { sessionTimeoutMs: 10 * DEADLINE_MS }
  const [log, other] = [open(patient), open(patient)]
  const topic = await newTopic(log)
  const first = await Member.join(log, 'group', topic)
  await first.session(0, DEADLINE_MS)
  const second = await Member.join(other, 'group', topic)
  await first.stop()
  await second.session(0, DEADLINE_MS)
})

test('a stamp of an earlier boot, far ahead of this one\'s clock, holds no partition', async () => {
  const early = open({ monotonicMs: () => 1e9 })
  const topic = await newTopic(early)
  const crashed = await Member.join(early, 'group', topic)
  await crashed.session(0, DEADLINE_MS)
  const log = open({ monotonicMs: () => 5000 })
  const member = await Member.join(log, 'group', topic)
  await member.session(0, DEADLINE_MS)
})

test('kill -9 of writers in the middle of their commits stops no other writer', async () => {
  const log = open()
  const topic = await newTopic(log)
  for (let round = 0; round < 3; round++) {
    const writers = [0, 1].map((writer) =>
      child({ do: 'append', topic, name: `${round}.${writer}`, records: 1_000_000 }))
    await Promise.all(writers.map(async (writer) => await writer.first('acknowledged', DEADLINE_MS)))
    await Promise.all(writers.map(async (writer) => await writer.signal('SIGKILL')))
    await log.append(topic, [record('k', `after round ${round}`)])
  }
  const [{ end } = { end: 0 }] = await log.offsets(topic)
  const session = await (await Member.join(log, 'reader', topic)).session(0, DEADLINE_MS)
  const read = await readAll(session, 0, end)
  expect(read.map(({ offset }) => offset)).toEqual(Array.from({ length: end }, (_, offset) => offset))
})

test('never are two sessions of one partition alive at once while members come and go', async () => {
  const logs = [open(), open()] as const
  const topic = await newTopic(logs[0], 3)
  const alive = new Map<number, number>()
  let most = 0
  const onPartition = async (session: PartitionSession): Promise<void> => {
    alive.set(session.partition, (alive.get(session.partition) ?? 0) + 1)
    most = Math.max(most, ...alive.values())
    await aborted(session.signal)
    alive.set(session.partition, (alive.get(session.partition) ?? 0) - 1)
  }
  const everywhere = (): true | undefined =>
    [0, 1, 2].every((partition) => alive.get(partition) === 1) ? true : undefined
  const options = { group: 'group', topics: [topic], onError: () => {}, onPartition }
  const stays = await logs[0].consume(options)
  for (let round = 0; round < 2; round++) {
    await until('every partition has an owner', DEADLINE_MS, everywhere)
    const visitor = await logs[1].consume(options)
    await until('the visitor owns one', DEADLINE_MS, () =>
      visitor.assignments().length > 0 ? true : undefined)
    await visitor.stop()
  }
  await until('every partition has an owner', DEADLINE_MS, everywhere)
  await stays.stop()
  expect(most).toBe(1)
})
