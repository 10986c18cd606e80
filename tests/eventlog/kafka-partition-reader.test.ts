import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FencedError } from '../../eventlog/index.ts'
import { PartitionReader } from '../../eventlog/kafka/partition-reader.ts'
import type { FetchWish } from '../../eventlog/kafka/partition-reader.ts'
import type { FetchedMessage } from '../../eventlog/kafka/cluster.ts'
import type { LogRecord, ReadOptions } from '../../eventlog/index.ts'

const READ: ReadOptions = { offset: 0, minBytes: 1, maxBytes: 1000, maxRecords: 100, maxWaitMs: 1000 }
const ANSWER_MS_MAX = 2000

function makeReader (): PartitionReader {
  return new PartitionReader({ place: { topic: 't', partition: 0 }, wake: () => {}, answerMsMax: ANSWER_MS_MAX })
}

function message (offset: number, value = `v${offset}`): FetchedMessage {
  return {
    offset: String(offset), key: Buffer.from('k'), value: Buffer.from(value), timestamp: '5', isControlRecord: false
  }
}

/** A fetch that is on its way, as the fetcher starts it. */
function begin (reader: PartitionReader): FetchWish {
  const wish = reader.wish()
  if (wish === undefined) throw new Error('nothing is wished for')
  reader.fetching()
  return wish
}

const offsets = (records: readonly LogRecord[]): number[] => records.map(({ offset }) => offset)

describe('PartitionReader', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  test('wishes for nothing before the first read, and while enough is held', async () => {
    const reader = makeReader()
    expect(reader.wish()).toBeUndefined()
    const read = reader.read({ ...READ, maxRecords: 1 })
    reader.fetched(begin(reader), [message(0), message(1)])
    expect(offsets(await read)).toEqual([0])
    expect(reader.wish()).toBeUndefined()
    expect(offsets(await reader.read({ ...READ, offset: 1 }))).toEqual([1])
    expect(reader.wish()).toMatchObject({ offset: 2 })
  })

  test('drops the answer to a fetch from before a seek', async () => {
    const reader = makeReader()
    const first = reader.read(READ)
    reader.fetched(begin(reader), [message(0)])
    await first
    const stale = begin(reader)
    const read = reader.read({ ...READ, offset: 50 })
    reader.fetched(stale, [message(1), message(60)])
    reader.fetched(begin(reader), [message(50)])
    expect(offsets(await read)).toEqual([50])
  })

  test('returns nothing only when a fetch that began after the read was answered', async () => {
    const reader = makeReader()
    const settled = vi.fn()
    const read = reader.read({ ...READ, maxWaitMs: 100 }).then(settled)
    await vi.advanceTimersByTimeAsync(150)
    expect(settled).not.toHaveBeenCalled()
    reader.fetched(begin(reader), [])
    await read
    expect(settled).toHaveBeenCalledWith([])
  })

  test('throws LogUnavailableError when no fetch is answered', async () => {
    const read = makeReader().read({ ...READ, maxWaitMs: 100 })
    const refused = expect(read).rejects.toMatchObject({ code: 'log_unavailable' })
    await vi.advanceTimersByTimeAsync(100 + ANSWER_MS_MAX)
    await refused
  })

  test('steps over control records, batches that start earlier, and batches whose end was compacted away', async () => {
    const reader = makeReader()
    const read = reader.read({ ...READ, offset: 5 })
    reader.fetched(begin(reader), [message(3), message(4)])
    expect(reader.wish()).toMatchObject({ offset: 6 })
    reader.fetched(begin(reader), [message(5), { ...message(6), isControlRecord: true }, message(7)])
    expect(offsets(await read)).toEqual([7])
    expect(reader.wish()).toMatchObject({ offset: 8 })
  })

  test('asks the broker to wait for what is missing, and no longer than the read waits', () => {
    const reader = makeReader()
    reader.read({ ...READ, minBytes: 500, maxWaitMs: 100 }).catch(() => {})
    expect(reader.wish()).toMatchObject({ minBytes: 500, maxWaitMs: 100 })
    reader.fetched(begin(reader), [message(0, 'x'.repeat(300))])
    expect(reader.wish()).toMatchObject({ minBytes: 200, offset: 1 })
    reader.end(new FencedError('over'))
    expect(reader.wish()).toBeUndefined()
  })

  test('refuses a second read beside one that waits', async () => {
    const reader = makeReader()
    reader.read(READ).catch(() => {})
    await expect(reader.read(READ)).rejects.toThrow(TypeError)
    reader.end(new FencedError('over'))
  })

  test('whatever is read, and whenever fetches are answered: the records of the log from there on, in order', async () => {
    const gap = fc.integer({ min: 1, max: 3 })
    const step = fc.record({
      offset: fc.option(fc.nat({ max: 60 }), { nil: undefined }),
      maxRecords: fc.integer({ min: 1, max: 8 }),
      maxBytes: fc.integer({ min: 1, max: 40 }),
      answers: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 4 })
    })
    await fc.assert(fc.asyncProperty(
      fc.array(gap, { minLength: 1, maxLength: 40 }), fc.array(step, { maxLength: 20 }),
      async (gaps, steps) => {
        let last = -1
        const log = gaps.map((size) => { last += size; return last })
        const reader = makeReader()
        let next = 0
        let late: FetchWish | undefined
        for (const { offset = next, maxRecords, maxBytes, answers } of steps) {
          const read = reader.read({ ...READ, offset, maxRecords, maxBytes, maxWaitMs: 10 })
          for (const count of answers) {
            const wish = late ?? reader.wish()
            if (wish === undefined) break
            const there = log.filter((one) => one >= wish.offset).slice(0, count)
            reader.fetched(wish, there.map((one) => message(one)))
            late = undefined
          }
          // The next answer comes in the midst of a later read, which may have sought elsewhere.
          const wish = reader.wish()
          if (wish !== undefined) reader.fetched(wish, [])
          late = reader.wish()
          await vi.advanceTimersByTimeAsync(10)
          const got = offsets(await read)
          expect(got).toEqual(log.filter((one) => one >= offset).slice(0, got.length))
          expect(got.length).toBeLessThanOrEqual(maxRecords)
          next = (got.at(-1) ?? offset - 1) + 1
        }
      }
    ))
  })
})
