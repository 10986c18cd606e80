/** Conformance of consumer groups: assignment, commits, fencing, failover. */
import { describe, expect, test } from 'vitest'
import { aborted, record, texts } from './conformance-harness.ts'
import { until } from '../support/until.ts'
import type { Member } from './conformance-harness.ts'
import type { Scene } from './conformance.ts'

const READ = { offset: 0, minBytes: 1, maxBytes: 1_000_000, maxRecords: 1000, maxWaitMs: 10_000 }

export function testGroups (scene: Scene): void {
  describe('consumer groups', () => {
    test('where nothing was committed, a session begins at the first offset with empty metadata', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      const member = await scene.join(log, 'group', topic)
      const session = await member.session(0, scene.deadlineMs)
      const [offsets] = await log.offsets(topic)
      expect(session.committed).toEqual({ offset: offsets?.begin, metadata: '' })
      expect(await log.committedOffsets('group', topic)).toEqual([])
    })

    test('a commit is seen at once by every opener, and by the next session', async () => {
      const [log, other] = await Promise.all([scene.open(), scene.open()])
      const topic = await scene.topic(log, 1)
      await log.append(topic, [record('k', 'a'), record('k', 'b'), record('k', 'c')])
      const member = await scene.join(log, 'group', topic)
      const session = await member.session(0, scene.deadlineMs)
      await session.commit({ offset: 2, metadata: 'pending 7' })
      expect(await other.committedOffsets('group', topic)).toEqual([{ partition: 0, offset: 2, metadata: 'pending 7' }])
      await session.commit({ offset: 3, metadata: '' })
      await member.stop()
      const next = await (await scene.join(other, 'group', topic)).session(0, scene.deadlineMs)
      expect(next.committed).toEqual({ offset: 3, metadata: '' })
    })

    test('groups are independent of each other', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      await log.append(topic, [record('k', 'a'), record('k', 'b')])
      const one = await (await scene.join(log, `one-${topic}`, topic)).session(0, scene.deadlineMs)
      const two = await (await scene.join(log, `two-${topic}`, topic)).session(0, scene.deadlineMs)
      await one.commit({ offset: 2, metadata: 'one' })
      expect(await log.committedOffsets(`two-${topic}`, topic)).toEqual([])
      expect(texts(await two.read(READ))).toEqual(['a', 'b'])
    })

    test('one group may consume several topics', async () => {
      const log = await scene.open()
      const topics = [await scene.topic(log, 1), await scene.topic(log, 1)]
      const seen = new Set<string>()
      const consumer = await log.consume({
        group: 'several',
        topics,
        onError: () => {},
        onPartition: async (session) => {
          seen.add(session.topic)
          await aborted(session.signal)
        }
      })
      await until('both topics', scene.deadlineMs, () => seen.size === 2 ? true : undefined)
      expect(consumer.assignments().map(({ topic }) => topic).sort()).toEqual([...topics].sort())
      await consumer.stop()
      expect(consumer.assignments()).toEqual([])
    })

    test('sessions of different partitions run side by side: a waiting one holds up no other', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 2)
      const locations = await log.append(topic, Array.from({ length: 16 }, (_, index) => record(`${index}`, 'v')))
      const full = locations[0]?.partition ?? 0
      const end = locations.filter(({ partition }) => partition === 1 - full).length
      const member = await scene.join(log, 'group', topic)
      const [busy, idle] = await Promise.all([
        member.session(full, scene.deadlineMs), member.session(1 - full, scene.deadlineMs)
      ])
      let idleDone = false
      const waiting = idle.read({ ...READ, offset: end, maxWaitMs: scene.deadlineMs })
        .finally(() => { idleDone = true }).catch(() => [])
      for (let round = 0; round < 5; round++) {
        expect((await busy.read(READ)).length).toBeGreaterThan(0)
        await busy.commit({ offset: round, metadata: 'side by side' })
      }
      expect(idleDone).toBe(false)
      await member.stop()
      await waiting
    })

    test('two members share the partitions; when one leaves the other takes over all', async () => {
      const [log, other] = await Promise.all([scene.open(), scene.open()])
      const topic = await scene.topic(log, 4)
      const first = await scene.join(log, 'group', topic)
      await owns(scene, first, [0, 1, 2, 3])
      const second = await scene.join(other, 'group', topic)
      await until('a fair division', scene.deadlineMs, () => {
        const [one, two] = [[...first.sessions.keys()], [...second.sessions.keys()]]
        const all = [...one, ...two].sort()
        return one.length === 2 && two.length === 2 && all.join() === '0,1,2,3' ? true : undefined
      })
      await first.stop()
      await owns(scene, second, [0, 1, 2, 3])
    })

    test('stop waits until every session has settled', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 2)
      let running = 0
      let settled = 0
      const consumer = await log.consume({
        group: 'group',
        topics: [topic],
        onError: () => {},
        onPartition: async ({ signal }) => {
          running += 1
          await aborted(signal)
          for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
          settled += 1
        }
      })
      await until('both sessions', scene.deadlineMs, () => running === 2 ? true : undefined)
      await consumer.stop()
      expect(settled).toBe(running)
    })

    test('a rejection of onPartition is reported, and the partition is handed out again', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      const fault = new Error('the first session fails')
      const errors: unknown[] = []
      let sessions = 0
      const consumer = await log.consume({
        group: 'group',
        topics: [topic],
        onError: (error) => errors.push(error),
        onPartition: async ({ signal }) => {
          sessions += 1
          if (sessions === 1) throw fault
          await aborted(signal)
        }
      })
      await until('a second session', scene.deadlineMs, () => sessions === 2 ? true : undefined)
      expect(errors).toContain(fault)
      await consumer.stop()
    })

    test('commit of a session that is over throws FencedError and changes nothing', async () => {
      const log = await scene.open()
      const topic = await scene.topic(log, 1)
      await log.append(topic, [record('k', 'a'), record('k', 'b')])
      const member = await scene.join(log, 'group', topic)
      const session = await member.session(0, scene.deadlineMs)
      await session.commit({ offset: 1, metadata: 'kept' })
      await member.stop()
      await expect(session.commit({ offset: 2, metadata: 'late' })).rejects
        .toMatchObject({ code: 'fenced', retryable: false })
      expect(await log.committedOffsets('group', topic)).toEqual([{ partition: 0, offset: 1, metadata: 'kept' }])
    })

    test('after kill -9 of a member another takes over, and finds its last commit', async () => {
      const log = await scene.openImpatient()
      const topic = await scene.topic(log, 1)
      await log.append(topic, [record('k', 'a'), record('k', 'b')])
      const child = scene.child({ do: 'consume', topic, group: 'group' })
      await child.first('session', scene.deadlineMs)
      child.commit({ partition: 0, offset: 1, metadata: 'pending 2' })
      expect(await child.first('commit', scene.deadlineMs)).toMatchObject({ outcome: 'committed' })
      await child.signal('SIGKILL')
      const member = await scene.join(log, 'group', topic)
      const session = await member.session(0, scene.deadlineMs)
      expect(session.committed).toEqual({ offset: 1, metadata: 'pending 2' })
    })

    test('a member that was paused past its session cannot commit: the newer owner\'s commit stands', async () => {
      const log = await scene.openImpatient()
      const topic = await scene.topic(log, 1)
      await log.append(topic, [record('k', 'a'), record('k', 'b'), record('k', 'c')])
      const child = scene.child({ do: 'consume', topic, group: 'group' })
      await child.first('session', scene.deadlineMs)
      await child.signal('SIGSTOP')
      const member = await scene.join(log, 'group', topic)
      const session = await member.session(0, scene.deadlineMs)
      await session.commit({ offset: 3, metadata: 'newer' })
      child.commit({ partition: 0, offset: 1, metadata: 'stale' })
      await child.signal('SIGCONT')
      expect(await child.first('commit', scene.deadlineMs)).toMatchObject({ outcome: 'fenced' })
      expect(await log.committedOffsets('group', topic)).toEqual([{ partition: 0, offset: 3, metadata: 'newer' }])
    })
  })
}

async function owns (scene: Scene, member: Member, partitions: number[]): Promise<void> {
  await until(`a member owns ${partitions.join()}`, scene.deadlineMs, () =>
    [...member.sessions.keys()].sort().join() === partitions.join() ? true : undefined)
}
