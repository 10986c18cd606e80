/** Conformance of topics, append and offsets. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { readAll, record, texts } from './conformance-harness.ts'
import { until } from '../support/until.ts'
import type { EventLog, LogRecord } from '../../eventlog/index.ts'
import type { Scene } from './conformance.ts'

export function testAppend (scene: Scene): void {
  describe('append', () => {
    test('a new topic is empty: first and end offset of every partition are equal', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 3)
      const offsets = await log.offsets(topic)
      expect(offsets.map(({ partition }) => partition).sort()).toEqual([0, 1, 2])
      for (const { begin, end } of offsets) expect(end).toBe(begin)
    })

    test('creating a topic again, from several openers at once, leaves it and its records as they are', async () => {
      const logs = await Promise.all([scene.open(), scene.open(), scene.open()])
      const topic = await scene.topic(logs[0], 2)
      await logs[0].append(topic, [record('k', 'v')])
      await Promise.all(logs.map(async (log) => await log.createTopics([{ name: topic, partitions: 5 }])))
      const offsets = await logs[1].offsets(topic)
      expect(offsets).toHaveLength(2)
      expect(stored(offsets)).toBe(1)
    })

    test('a check whether an append would be taken stores nothing, before the first append and after', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      await log.checkAppend(topic)
      await log.append(topic, [record('k', 'v')])
      await log.checkAppend(topic)
      expect(stored(await log.offsets(topic))).toBe(1)
    })

    test('records come back byte for byte, with key, time and the offset that append told', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      const time = Date.now() - 5000
      const sent = [
        { key: randomBytes(40), value: randomBytes(5000), timestampMs: time },
        { key: Buffer.from([0, 255, 10]), value: Buffer.alloc(0), timestampMs: time + 1 },
        { key: Buffer.from('ключ'), value: Buffer.from([0]), timestampMs: time + 2 }
      ]
      const locations = await log.append(topic, sent)
      const records = await readTopic(scene, log, topic)
      expect(records).toEqual(sent.map((one, index) => ({ ...one, offset: locations[index]?.offset })))
    })

    test('one key always goes to the same partition, and keys spread over the partitions', async () => {
      const [log, other] = await Promise.all([scene.open(), scene.open()])
      const topic = await scene.topic(log, 4)
      const keys = Array.from({ length: 64 }, (_, index) => `key-${index}`)
      const first = await log.append(topic, keys.map((key) => record(key, 'a')))
      const second = await other.append(topic, keys.map((key) => record(key, 'b')))
      expect(second.map(({ partition }) => partition)).toEqual(first.map(({ partition }) => partition))
      expect(new Set(first.map(({ partition }) => partition)).size).toBe(4)
    })

    test('a record goes to the partition that it names, and by its key where there is no such one', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 3)
      const named = [2, 0, 1, 99].map((partition) => ({ ...record('k', 'v'), partition }))
      const [byKey] = await log.append(topic, [record('k', 'v')])
      const places = (await log.append(topic, named)).map(({ partition }) => partition)
      expect(places).toEqual([2, 0, 1, byKey?.partition])
    })

    test('records of a partition keep the order of the calls and the order within a call', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      const calls = Array.from({ length: 5 }, (_, call) => [0, 1, 2].map((index) => `${call}.${index}`))
      for (const call of calls) await log.append(topic, call.map((value) => record('k', value)))
      expect(texts(await readTopic(scene, log, topic))).toEqual(calls.flat())
    })

    test('end is the offset after the last record', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      const locations = await log.append(topic, [record('a', '1'), record('a', '2'), record('a', '3')])
      const [offsets] = await log.offsets(topic)
      const [first, , last] = locations
      expect(offsets).toEqual({ partition: 0, begin: first?.offset, end: (last?.offset ?? 0) + 1 })
    })

    test('writers at once, of this process and of another, lose nothing and share no offset', async () => {
      const logs = await Promise.all([scene.open(), scene.open()])
      const topic = await scene.topic(logs[0], 2)
      const child = scene.child({ do: 'append', topic, name: 'child', records: 200 })
      const mine: Array<{ value: string, partition: number, offset: number }> = []
      await Promise.all([0, 1, 2, 3].map(async (writer) => {
        for (let counter = 0; counter < 50; counter++) {
          const value = `writer-${writer}-${counter}`
          const [location] = await (logs[writer % 2] as EventLog).append(topic, [record(value, value)])
          if (location !== undefined) mine.push({ value, ...location })
        }
      }))
      await child.first('done', scene.deadlineMs)
      const theirs = child.of('acknowledged').flatMap(({ values, locations }) =>
        locations.map((location, index) => ({ value: values[index] as string, ...location })))
      const acknowledged = [...mine, ...theirs]
      expect(acknowledged).toHaveLength(400)
      expect(new Set(acknowledged.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(400)
      expect(stored(await logs[0].offsets(topic))).toBe(400)
      const read = texts(await readTopic(scene, logs[0], topic))
      expect(read.sort()).toEqual(acknowledged.map(({ value }) => value).sort())
    })

    test('what was acknowledged before kill -9 of the writer is there for the next opener', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      const child = scene.child({ do: 'append', topic, name: 'child', records: 1_000_000 })
      await until('some acknowledgements', scene.deadlineMs, () =>
        child.of('acknowledged').length >= 20 ? true : undefined)
      await child.signal('SIGKILL')
      const later = await scene.open()
      const read = await readTopic(scene, later, topic)
      const records = new Map(read.map(({ offset, value }) => [offset, value.toString()]))
      for (const { values, locations } of child.of('acknowledged')) {
        expect(locations.map(({ offset }) => records.get(offset))).toEqual(values)
      }
      await later.append(topic, [record('k', 'after the crash')])
    })

    test('a record that is too large is refused, and nothing of its call is stored', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 2)
      const large = { ...record('large', ''), value: Buffer.alloc(scene.tooLargeBytes) }
      const call = log.append(topic, [record('a', 'small'), large, record('b', 'small')])
      await expect(call).rejects.toMatchObject({ code: 'record_too_large', retryable: false })
      expect(stored(await log.offsets(topic))).toBe(0)
      expect(await log.append(topic, [record('a', 'small')])).toHaveLength(1)
    })

    test('an append of no records stores nothing', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      expect(await log.append(topic, [])).toEqual([])
      expect(stored(await log.offsets(topic))).toBe(0)
    })

    test('ping answers', async () => {
      const log = await scene.open()
      await expect(log.ping()).resolves.toBeUndefined()
    })
  })
}

/** Every record of the topic, partition after partition, read through a group of its own. */
async function readTopic (scene: Scene, log: EventLog, topic: string): Promise<LogRecord[]> {
  const member = await scene.join(log, `reader-${topic}`, topic)
  const records: LogRecord[] = []
  for (const { partition, begin, end } of await log.offsets(topic)) {
    records.push(...await readAll(await member.session(partition, scene.deadlineMs), begin, end))
  }
  return records
}

function stored (offsets: ReadonlyArray<{ begin: number, end: number }>): number {
  return offsets.reduce((sum, { begin, end }) => sum + end - begin, 0)
}
