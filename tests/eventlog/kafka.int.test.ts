import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { openKafkaLog } from '../../eventlog/index.ts'
import { describeEventLog } from './conformance.ts'
import { Member, aborted, readAll, record } from './conformance-harness.ts'
import { until } from '../support/until.ts'
import type { EventLog, PartitionSession } from '../../eventlog/index.ts'

const brokers = inject('kafkaBrokers').split(',')
const DEADLINE_MS = 60_000
/** A broker and a machine that others use, too. */
const settings = {
  brokers,
  clientId: 'test',
  sessionTimeoutMs: 60_000,
  rebalanceTimeoutMs: 60_000,
  appendMsMax: 30_000,
  requestMsMax: 20_000
}
const SHORT_SESSION_MS = 3_000

describe.skipIf(brokers[0] === '')('on a broker', () => {
  describeEventLog('Kafka', async () => ({
    open: async () => openKafkaLog(settings),
    // A member is missed after the time that it named itself.
    openImpatient: async () => openKafkaLog(settings),
    child: {
      module: fileURLToPath(new URL('kafka-child.ts', import.meta.url)),
      config: { ...settings, sessionTimeoutMs: SHORT_SESSION_MS }
    },
    tooLargeBytes: 2_000_000,
    deadlineMs: DEADLINE_MS,
    close: async () => {}
  }))

  describe('Kafka event log', () => {
    let log: EventLog
    let topic: string

    beforeEach(async () => {
      log = openKafkaLog(settings)
      topic = `kafka-${randomUUID()}`
      await log.createTopics([{ name: topic, partitions: 2 }])
    })

    afterEach(async () => {
      await log.close()
    })

    test('after a rebalance a session of the earlier generation cannot commit, though its member goes on', async () => {
      const member = await Member.join(log, topic, topic)
      const old = await Promise.all([member.session(0, DEADLINE_MS), member.session(1, DEADLINE_MS)])
      const other = await Member.join(log, topic, topic)
      const kept = await until('a new session of the first member', DEADLINE_MS, () =>
        [...member.sessions.values()].find((session) => !old.includes(session)))
      await kept.commit({ offset: 0, metadata: 'new' })
      for (const session of old) {
        await expect(session.commit({ offset: 0, metadata: 'old' })).rejects.toMatchObject({ code: 'fenced' })
      }
      expect(await log.committedOffsets(topic, topic)).toEqual([
        { partition: kept.partition, offset: 0, metadata: 'new' }
      ])
      await other.stop()
    })

    test('a partition is handed out again only after its earlier session in the process has settled', async () => {
      const events: string[] = []
      let release = (): void => {}
      const released = new Promise<void>((resolve) => { release = resolve })
      await log.consume({
        group: topic,
        topics: [topic],
        onError: () => {},
        onPartition: async ({ partition, signal }: PartitionSession) => {
          events.push(`begin ${partition}`)
          await aborted(signal)
          await released
          events.push(`end ${partition}`)
        }
      })
      await until('both sessions', DEADLINE_MS, () => events.length === 2 ? true : undefined)
      const other = await Member.join(log, topic, topic)
      await until('a share for the second member', DEADLINE_MS, () => other.sessions.size === 1 ? true : undefined)
      await other.stop()
      expect(events).toHaveLength(2)
      release()
      await until('both again', DEADLINE_MS, () => events.length >= 6 ? true : undefined)
      for (const partition of [0, 1]) {
        const own = events.filter((event) => event.endsWith(`${partition}`)).map((event) => event.split(' ')[0])
        expect(own).toEqual(own.map((_, index) => index % 2 === 0 ? 'begin' : 'end'))
      }
    })

    test('a session that is busy for longer than the session timeout keeps its partition', async () => {
      const busy = openKafkaLog({ ...settings, sessionTimeoutMs: SHORT_SESSION_MS })
      const member = await Member.join(busy, topic, topic)
      const session = await member.session(0, DEADLINE_MS)
      const errors = member.errors.length
      // Only time will do: shown is that nothing happens while the member gives the log nothing to do. What
      // keeps its partition is heartbeats of the adapter's own, which the broker alone sees.
      const end = performance.now() + 2 * SHORT_SESSION_MS
      await until('two session timeouts', DEADLINE_MS, () => performance.now() > end ? true : undefined)
      expect(session.signal.aborted).toBe(false)
      await session.commit({ offset: 0, metadata: 'still mine' })
      expect(member.errors).toHaveLength(errors)
      await busy.close()
    })

    test.each(['none', 'gzip'] as const)('an append of many megabytes is stored in order, %s', async (compression) => {
      const other = openKafkaLog({ ...settings, compression })
      const records = Array.from({ length: 3000 }, (_, index) => record('same key', `${index} `.padEnd(1000, 'x')))
      const locations = await other.append(topic, records)
      const { partition, offset } = locations[0] as { partition: number, offset: number }
      expect(locations).toEqual(records.map((_, index) => ({ partition, offset: offset + index })))
      const session = await (await Member.join(other, topic, topic)).session(partition, DEADLINE_MS)
      const read = await readAll(session, offset, offset + records.length)
      expect(read.map(({ value }) => value.toString())).toEqual(records.map(({ value }) => value.toString()))
      await other.close()
    })

    test('a topic has the partitions it was asked for, and is refused where it cannot have the copies', async () => {
      const [wide, safe] = [`wide-${topic}`, `safe-${topic}`]
      await log.createTopics([{ name: wide, partitions: 4 }])
      expect((await log.offsets(wide)).map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
      const copied = log.createTopics([{ name: safe, partitions: 1, replicationFactor: 30_000 }])
      await expect(copied).rejects.toMatchObject({ cause: { errors: [{ type: 'INVALID_REPLICATION_FACTOR' }] } })
    })

    test('a record just below the limit is taken, one byte more is refused', async () => {
      const limited = openKafkaLog({ ...settings, recordBytesMax: 1_000_000 })
      const large = { ...record('k', ''), value: Buffer.alloc(999_999) }
      expect(await limited.append(topic, [large])).toHaveLength(1)
      const over = { ...large, value: Buffer.alloc(1_000_000) }
      await expect(limited.append(topic, [over])).rejects.toMatchObject({ code: 'record_too_large' })
      await limited.close()
    })

    test('what the broker finds too large is RecordTooLargeError as well', async () => {
      const unlimited = openKafkaLog({ ...settings, recordBytesMax: 10_000_000 })
      const large = { ...record('k', ''), value: Buffer.alloc(3_000_000) }
      await expect(unlimited.append(topic, [large])).rejects.toMatchObject({ code: 'record_too_large' })
      expect(await unlimited.append(topic, [record('k', 'small')])).toHaveLength(1)
      await unlimited.close()
    })
  })
})
