/** Conformance of session.read. */
import { describe, expect, test } from 'vitest'
import { record, texts } from './conformance-harness.ts'
import type { Member } from './conformance-harness.ts'
import type { Scene } from './conformance.ts'
import type { EventLog, LogRecord, PartitionSession, ReadOptions } from '../../eventlog/index.ts'

const READ: ReadOptions = { offset: 0, minBytes: 1, maxBytes: 1_000_000, maxRecords: 1000, maxWaitMs: 10_000 }

export function testRead (scene: Scene): void {
  describe('read', () => {
    test('goes back and forth freely', async () => {
      const { session, offsets } = await filled(scene, 30)
      const at = async (index: number): Promise<string[]> => {
        return texts(await session.read({ ...READ, offset: offsets[index] as number, maxRecords: 3 }))
      }
      expect(await at(0)).toEqual(values(0, 3))
      expect(await at(17)).toEqual(values(17, 20))
      expect(await at(5)).toEqual(values(5, 8))
      expect(await at(0)).toEqual(values(0, 3))
      expect(await at(27)).toEqual(values(27, 30))
    })

    test('following the last offset sees every record once, in order', async () => {
      const { session, offsets } = await filled(scene, 50)
      const seen: LogRecord[] = []
      while (seen.length < 50) {
        const offset = (seen.at(-1)?.offset ?? (offsets[0] as number) - 1) + 1
        seen.push(...await session.read({ ...READ, offset, maxRecords: 7 }))
      }
      expect(texts(seen)).toEqual(values(0, 50))
      expect(seen.map(({ offset }) => offset)).toEqual(offsets)
    })

    test('returns at most maxRecords', async () => {
      const { session } = await filled(scene, 20)
      expect(await session.read({ ...READ, maxRecords: 1 })).toHaveLength(1)
      expect(await session.read({ ...READ, maxRecords: 12 })).toHaveLength(12)
    })

    test('returns about maxBytes of values, but at least one record', async () => {
      const { log, topic, session } = await filled(scene, 0)
      await log.append(topic, Array.from({ length: 20 }, () => record('k', 'x'.repeat(1000))))
      const some = await session.read({ ...READ, minBytes: 20_000, maxBytes: 5000 })
      expect(some.length).toBeGreaterThanOrEqual(1)
      expect(some.length).toBeLessThanOrEqual(10)
      expect(await session.read({ ...READ, maxBytes: 1 })).toHaveLength(1)
    })

    test('at the end of the log returns nothing once maxWaitMs is over', async () => {
      const { session, end } = await filled(scene, 3)
      const begin = performance.now()
      expect(await session.read({ ...READ, offset: end, maxWaitMs: 400 })).toEqual([])
      const waited = performance.now() - begin
      expect(waited).toBeGreaterThan(300)
      expect(waited).toBeLessThan(READ.maxWaitMs)
    })

    test('returns what there is once maxWaitMs is over, even if less than minBytes', async () => {
      const { session } = await filled(scene, 3)
      expect(texts(await session.read({ ...READ, minBytes: 100_000, maxWaitMs: 300 }))).toEqual(values(0, 3))
    })

    test('a waiting read returns promptly when minBytes are there, and not before', async () => {
      const { log, topic, session, end } = await filled(scene, 0)
      const begin = performance.now()
      const bounds = { minBytes: 10_000, maxWaitMs: scene.deadlineMs * 4 }
      const waiting = session.read({ ...READ, offset: end, ...bounds })
      const sent = ['a'.repeat(100), 'b'.repeat(100), 'c'.repeat(12_000)]
      for (const value of sent) await log.append(topic, [record('k', value)])
      expect(texts(await waiting)).toEqual(sent)
      expect(performance.now() - begin).toBeLessThan(scene.deadlineMs)
    })

    test('a record that another process appends ends the wait', async () => {
      const { topic, session, end } = await filled(scene, 0)
      const waiting = session.read({ ...READ, offset: end, maxWaitMs: scene.deadlineMs * 4 })
      scene.child({ do: 'append', topic, name: 'child', records: 10 })
      expect((await waiting)[0]?.value.toString()).toBe('child-0')
    })

    test('throws FencedError when the session is over, also out of a waiting read', async () => {
      const { member, session, end } = await filled(scene, 3)
      const waiting = session.read({ ...READ, offset: end, maxWaitMs: scene.deadlineMs * 4 })
      const fenced = expect(waiting).rejects.toMatchObject({ code: 'fenced' })
      await member.stop()
      await fenced
      await expect(session.read(READ)).rejects.toMatchObject({ code: 'fenced', retryable: false })
    })
  })
}

interface Filled {
  log: EventLog
  topic: string
  offsets: number[]
  end: number
  session: PartitionSession
  member: Member
}

/** A topic of one partition that holds `records` records, in batches of four, and a session of it. */
async function filled (scene: Scene, records: number): Promise<Filled> {
  const log = await scene.open()
  const topic = await scene.topic(log, 1)
  const offsets: number[] = []
  for (let first = 0; first < records; first += 4) {
    const batch = values(first, Math.min(first + 4, records)).map((value) => record('k', value))
    offsets.push(...(await log.append(topic, batch)).map(({ offset }) => offset))
  }
  const member = await scene.join(log, `group-${topic}`, topic)
  const session = await member.session(0, scene.deadlineMs)
  const [{ end } = { end: 0 }] = await log.offsets(topic)
  return { log, topic, offsets, end, session, member }
}

function values (from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `value-${from + index}`)
}
