/** What the Kafka log does when its broker crashes, freezes or is not there. Each test has its own broker. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { openKafkaLog } from '../../eventlog/index.ts'
import { BlackHoleProxy } from '../support/black-hole-proxy.ts'
import { startBroker } from '../support/kafka-broker.ts'
import { Member, record } from './conformance-harness.ts'
import { until } from '../support/until.ts'
import type { Consumer, EventLog, KafkaSettings, RecordLocation } from '../../eventlog/index.ts'
import type { KafkaBroker } from '../support/kafka-broker.ts'

const TOPIC = 'events'
const DEADLINE_MS = 120_000
const SESSION_TIMEOUT_MS = 6000
const APPEND_MS_MAX = 2000
/** The bounds of all calls are two seconds at most; a busy machine may add to them. */
const REFUSED_MS_MAX = 3 * APPEND_MS_MAX

describe.skipIf(inject('kafkaBrokers') === '')('Kafka event log under faults', () => {
  let directory: string
  let proxy: BlackHoleProxy
  let broker: KafkaBroker
  let log: EventLog

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
    proxy = new BlackHoleProxy()
    const advertisedPort = await proxy.listen()
    broker = await startBroker({ directory, advertisedPort })
    proxy.target(broker.port)
    log = open()
    await log.createTopics([{ name: TOPIC, partitions: 2 }])
  })

  afterEach(async () => {
    await log.close()
    await broker.kill()
    await proxy.close()
    rmSync(directory, { recursive: true, force: true })
  })

  function open (settings: Partial<KafkaSettings> = {}): EventLog {
    return openKafkaLog({
      brokers: [broker.bootstrap],
      clientId: 'faults',
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      appendMsMax: APPEND_MS_MAX,
      requestMsMax: 1000,
      ...settings
    })
  }

  test('a crash of the broker loses nothing acknowledged, and writers and readers go on by themselves', async () => {
    const writer = new Writer(log)
    const reader = await Reader.join(log)
    await reader.hasAll(writer, 50)
    await broker.kill()
    const failed = writer.failures
    await until('a refused append', DEADLINE_MS, () => writer.failures > failed ? true : undefined)
    const before = writer.acknowledged.size
    await broker.restart()
    await reader.hasAll(writer, before + 50)
    await writer.stop()
    await reader.hasAll(writer, 0)
    expect(writer.errorCodes).toEqual(new Set(['log_unavailable']))
    expect(reader.disorder).toEqual([])
    expect(reader.repeated.filter((value) => writer.acknowledged.has(value))).toEqual([])
    await reader.consumer.stop()
  })

  test('a broker that freezes and thaws loses nothing acknowledged and mixes up no offsets', async () => {
    const writer = new Writer(log)
    const reader = await Reader.join(log)
    await reader.hasAll(writer, 50)
    const pid = broker.pid as number
    process.kill(pid, 'SIGSTOP')
    try {
      const failed = writer.failures
      await until('two refused appends', DEADLINE_MS, () => writer.failures >= failed + 2 ? true : undefined)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await reader.hasAll(writer, writer.acknowledged.size + 50)
    await writer.stop()
    await reader.hasAll(writer, 0)
    expect(writer.errorCodes).toEqual(new Set(['log_unavailable']))
    expect(reader.disorder).toEqual([])
    expect(reader.repeated.filter((value) => writer.acknowledged.has(value))).toEqual([])
    await reader.consumer.stop()
  })

  test('connections that died without closing are replaced, and everything goes on by itself', async () => {
    const writer = new Writer(log)
    const reader = await Reader.join(log)
    await reader.hasAll(writer, 50)
    proxy.swallow()
    await reader.hasAll(writer, writer.acknowledged.size + 50)
    await log.ping().catch(async () => await log.ping())
    await writer.stop()
    await reader.hasAll(writer, 0)
    expect(reader.disorder).toEqual([])
    await reader.consumer.stop()
  })

  test('with the broker down every call throws LogUnavailableError within its bound', async () => {
    await log.append(TOPIC, [record('k', 'v')])
    const member = await Member.join(log, 'group', TOPIC)
    const session = await member.session(0, DEADLINE_MS)
    await broker.kill()
    const unavailable = { code: 'log_unavailable', retryable: true }
    const read = { offset: 0, minBytes: 1e6, maxBytes: 1e6, maxRecords: 1000, maxWaitMs: 100 }
    const begin = performance.now()
    await Promise.all([
      expect(log.append(TOPIC, [record('k', 'v')])).rejects.toMatchObject(unavailable),
      expect(log.ping()).rejects.toMatchObject(unavailable),
      expect(session.commit({ offset: 1, metadata: '' })).rejects.toMatchObject(unavailable),
      expect(session.read({ ...read, offset: 7 })).rejects.toMatchObject(unavailable)
    ])
    expect(performance.now() - begin).toBeLessThan(REFUSED_MS_MAX)
    const again = performance.now()
    await expect(log.append(TOPIC, [record('k', 'v')])).rejects.toMatchObject(unavailable)
    expect(performance.now() - again).toBeLessThan(REFUSED_MS_MAX)
    await member.stop()
  })

  test('a log that was opened before its broker works once the broker is there', async () => {
    await broker.stop()
    const early = open()
    await expect(early.ping()).rejects.toMatchObject({ code: 'log_unavailable' })
    const member = await Member.join(early, 'group', TOPIC)
    await until('a reported fault', DEADLINE_MS, () => member.errors.length > 0 ? true : undefined)
    await broker.restart()
    await member.session(1, DEADLINE_MS)
    await early.ping()
    await early.close()
  })

  test('a session keeps its partition over a restart of the broker that is shorter than its timeout', async () => {
    const patient = open({ sessionTimeoutMs: 30_000 })
    const member = await Member.join(patient, 'group', TOPIC)
    const session = await member.session(0, DEADLINE_MS)
    await session.commit({ offset: 0, metadata: 'before' })
    await broker.kill()
    await broker.restart()
    await until('a commit', DEADLINE_MS, async () =>
      await session.commit({ offset: 0, metadata: 'after' }).then(() => true, () => undefined))
    expect(session.signal.aborted).toBe(false)
    expect(await patient.committedOffsets('group', TOPIC)).toContainEqual(
      { partition: 0, offset: 0, metadata: 'after' })
    await patient.close()
  })

  test('a read below what retention deleted starts at the oldest record; beyond the end there is nothing', async () => {
    const [topic, hourMs] = ['short', 3_600_000]
    await log.createTopics([{ name: topic, partitions: 1, retentionMs: 60_000 }])
    await log.append(topic, [{ ...record('k', 'old'), timestampMs: Date.now() - hourMs }])
    await until('deletion', DEADLINE_MS, async () => (await log.offsets(topic))[0]?.begin === 1 ? true : undefined)
    await log.append(topic, [record('k', 'new')])
    const session = await (await Member.join(log, 'group', topic)).session(0, DEADLINE_MS)
    expect(session.committed.offset).toBe(1)
    const read = { offset: 0, minBytes: 1, maxBytes: 1e6, maxRecords: 10, maxWaitMs: 5000 }
    expect((await session.read(read)).map(({ offset, value }) => `${offset} ${value.toString()}`)).toEqual(['1 new'])
    expect(await session.read({ ...read, offset: 100, maxWaitMs: 300 })).toEqual([])
  })
})

/** Appends one record after another until it is stopped, and remembers what was acknowledged where. */
class Writer {
  readonly acknowledged = new Map<string, RecordLocation>()
  readonly errorCodes = new Set<unknown>()
  failures = 0
  #stopped = false
  readonly #loop: Promise<void>

  constructor (log: EventLog) {
    this.#loop = this.#run(log)
  }

  async stop (): Promise<void> {
    this.#stopped = true
    await this.#loop
  }

  async #run (log: EventLog): Promise<void> {
    for (let counter = 0; !this.#stopped; counter++) {
      const value = `value-${counter}`
      try {
        const [location] = await log.append(TOPIC, [record(value, value)])
        this.acknowledged.set(value, location as RecordLocation)
      } catch (error) {
        this.failures += 1
        this.errorCodes.add((error as { code?: unknown }).code)
      }
    }
  }
}

/** Follows the topic from each session's committed offset, committing as it goes. */
class Reader {
  readonly seen = new Map<string, RecordLocation>()
  readonly disorder: string[] = []
  /** Records that stand in the log more than once. */
  readonly repeated: string[] = []
  #consumer: Consumer | undefined

  static async join (log: EventLog): Promise<Reader> {
    const reader = new Reader()
    reader.#consumer = await log.consume({
      group: 'reader',
      topics: [TOPIC],
      onError: () => {},
      onPartition: async ({ partition, committed, signal, read, commit }) => {
        let { offset } = committed
        while (!signal.aborted) {
          const options = { offset, minBytes: 1, maxBytes: 1e6, maxRecords: 100, maxWaitMs: 1000 }
          for (const one of await read(options)) {
            if (one.offset < offset) reader.disorder.push(`${partition}/${one.offset} after ${offset}`)
            const value = one.value.toString()
            if ((reader.seen.get(value)?.offset ?? one.offset) !== one.offset) reader.repeated.push(value)
            reader.seen.set(value, { partition, offset: one.offset })
            offset = one.offset + 1
          }
          await commit({ offset, metadata: '' })
        }
      }
    })
    return reader
  }

  get consumer (): Consumer {
    if (this.#consumer === undefined) throw new Error('not joined yet')
    return this.#consumer
  }

  /** Resolves when at least `count` records were acknowledged and each was seen where it was said to be. */
  async hasAll (writer: Writer, count: number): Promise<void> {
    await until(`${count} acknowledged records`, DEADLINE_MS, () =>
      writer.acknowledged.size >= count ? true : undefined)
    const acknowledged = [...writer.acknowledged]
    await until('every acknowledged record', DEADLINE_MS, () =>
      acknowledged.every(([value]) => this.seen.has(value)) ? true : undefined)
    for (const [value, location] of acknowledged) expect(this.seen.get(value)).toEqual(location)
  }
}
