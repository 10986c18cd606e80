import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MillraceError } from '../../contract/index.ts'
import { SharedRead } from '../../query-api/read-sharing.ts'
import type { SharedReadLimits } from '../../query-api/read-sharing.ts'

interface Request {
  subject: string
  range?: number
  group?: string
  bytes?: number
}

const LIMITS: SharedReadLimits = {
  batchSizeMax: 4, batchBytesMax: 100, queueMax: 10, inFlightMax: 1, startIntervalMs: 0, timeoutMs: 5000
}

/** A database that answers when it is told to, and records what it was asked. */
function heldDatabase (limits: Partial<SharedReadLimits> = {}) {
  const batches: Array<{ subjects: string[], answer: () => void, fail: (error: Error) => void }> = []
  const signals: AbortSignal[] = []
  const reads = new SharedRead<Request, string>({
    limits: { ...LIMITS, ...limits },
    keyOf: (request) => JSON.stringify(request),
    groupOf: ({ group }) => group ?? '',
    subjectOf: ({ subject }) => subject,
    bytesOf: ({ bytes }) => bytes ?? 1,
    readMany: (requests, signal) => new Promise((resolve, reject) => {
      signals.push(signal)
      batches.push({
        subjects: requests.map(({ subject }) => subject),
        answer: () => resolve(requests.map(({ subject, range }) => `${subject}:${range ?? 0}`)),
        fail: reject
      })
    })
  })
  return { batches, signals, reads }
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> => {
  return promise.then(() => 'answered', (error: unknown) => error instanceof MillraceError ? error.code : error)
}
/** Lets every promise that can settle now do so. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

afterEach(() => { vi.useRealTimers() })

describe('shared reads', () => {
  it('ask at once when nothing is in flight, and put what arrives meanwhile into one next query', async () => {
    const { batches, reads } = heldDatabase()
    const answers = ['a', 'b', 'c'].map((subject) => reads.read({ subject }))
    expect(batches.map(({ subjects }) => subjects)).toEqual([['a']])
    batches[0]?.answer()
    expect(await answers[0]).toBe('a:0')
    expect(batches[1]?.subjects).toEqual(['b', 'c'])
    batches[1]?.answer()
    expect(await Promise.all(answers)).toEqual(['a:0', 'b:0', 'c:0'])
  })

  it('start their queries apart, the first at once, a full batch at once', async () => {
    vi.useFakeTimers()
    const { batches, reads } = heldDatabase({ inFlightMax: 9, startIntervalMs: 25 })
    const answers = ['a', 'b', 'c'].map((subject) => reads.read({ subject }))
    expect(batches.map(({ subjects }) => subjects)).toEqual([['a']])
    batches[0]?.answer()
    await vi.advanceTimersByTimeAsync(24)
    expect(batches).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2)
    expect(batches[1]?.subjects).toEqual(['b', 'c'])
    const full = ['d', 'e', 'f', 'g'].map((subject) => reads.read({ subject }))
    expect(batches[2]?.subjects).toEqual(['d', 'e', 'f', 'g'])
    for (const { answer } of batches) answer()
    expect(await Promise.all([...answers, ...full])).toHaveLength(7)
  })

  it('wait for the end of the last query of their group, but not for that of a slow one', async () => {
    vi.useFakeTimers()
    const { batches, reads } = heldDatabase({ inFlightMax: 9, startIntervalMs: 25 })
    const answers = ['a', 'b', 'c'].map((subject) => reads.read({ subject }))
    await vi.advanceTimersByTimeAsync(60)
    expect(batches).toHaveLength(1)
    batches[0]?.answer()
    await vi.advanceTimersByTimeAsync(1)
    expect(batches[1]?.subjects).toEqual(['b', 'c'])
    answers.push(reads.read({ subject: 'd' }))
    await vi.advanceTimersByTimeAsync(97)
    expect(batches).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(4)
    expect(batches[2]?.subjects).toEqual(['d'])
    for (const { answer } of batches) answer()
    expect(await Promise.all(answers)).toHaveLength(4)
  })

  it('do not wait for the interval of another group', async () => {
    vi.useFakeTimers()
    const { batches, reads } = heldDatabase({ inFlightMax: 9, startIntervalMs: 25 })
    const read = (subject: string, group: string) => reads.read({ subject, group })
    const answers = [read('a', 'g'), read('b', 'g'), read('a', 'h')]
    expect(batches.map(({ subjects }) => subjects)).toEqual([['a'], ['a']])
    for (const { answer } of batches) answer()
    await vi.advanceTimersByTimeAsync(20)
    answers.push(read('b', 'h'), read('c', 'i'))
    expect(batches[2]?.subjects).toEqual(['c'])
    await vi.advanceTimersByTimeAsync(6)
    expect(batches.slice(3).map(({ subjects }) => subjects)).toEqual([['b'], ['b']])
    for (const { answer } of batches) answer()
    expect(await Promise.all(answers)).toHaveLength(5)
  })

  it('answer equal waiting requests from one, but never from a query that began before', async () => {
    const { batches, reads } = heldDatabase()
    const first = reads.read({ subject: 'a' })
    const later = [reads.read({ subject: 'a' }), reads.read({ subject: 'a' })]
    expect(reads.waitingCount).toBe(1)
    batches[0]?.answer()
    await first
    expect(batches[1]?.subjects).toEqual(['a'])
    batches[1]?.answer()
    expect(await Promise.all(later)).toEqual(['a:0', 'a:0'])
  })

  it('never put two ranges of one subject, or two groups, into one query', async () => {
    const { batches, reads } = heldDatabase()
    const answers = [
      reads.read({ subject: 'x' }), reads.read({ subject: 'a', range: 1 }), reads.read({ subject: 'a', range: 2 }),
      reads.read({ subject: 'b', group: 'other' }), reads.read({ subject: 'c' })
    ]
    for (let index = 0; index < 4; index++) {
      batches[index]?.answer()
      await settled()
    }
    expect(batches.map(({ subjects }) => subjects)).toEqual([['x'], ['a', 'c'], ['a'], ['b']])
    expect(await Promise.all(answers)).toEqual(['x:0', 'a:1', 'a:2', 'b:0', 'c:0'])
  })

  it('bound a query by requests and by bytes, and send an oversized request alone', async () => {
    const { batches, reads } = heldDatabase({ batchSizeMax: 3, batchBytesMax: 10 })
    const sizes = [1, 99, 6, 6, 4, 1, 1, 1]
    const answers = sizes.map((bytes, index) => reads.read({ subject: String(index), bytes }))
    for (let index = 0; index < 5; index++) {
      batches[index]?.answer()
      await settled()
    }
    expect(batches.map(({ subjects }) => subjects)).toEqual([['0'], ['1'], ['2', '4'], ['3', '5', '6'], ['7']])
    await Promise.all(answers)
  })

  it('keep at most the stated number of queries in flight', async () => {
    const { batches, reads } = heldDatabase({ inFlightMax: 2 })
    const answers = ['a', 'b', 'c', 'd'].map((subject) => reads.read({ subject }))
    expect(batches).toHaveLength(2)
    batches[1]?.answer()
    await settled()
    expect(batches.map(({ subjects }) => subjects)).toEqual([['a'], ['b'], ['c', 'd']])
    for (const batch of batches) batch.answer()
    await Promise.all(answers)
  })

  it('refuse with overloaded beyond the queue, and take reads again when it has room', async () => {
    const { batches, reads } = heldDatabase({ queueMax: 2 })
    const taken = ['a', 'b', 'c'].map((subject) => reads.read({ subject }))
    expect(await codeOf(reads.read({ subject: 'd' }))).toBe('overloaded')
    batches[0]?.answer()
    await taken[0]
    const again = reads.read({ subject: 'd' })
    batches[1]?.answer()
    await settled()
    batches[2]?.answer()
    expect(await again).toBe('d:0')
  })

  it('fail the reads of the query that failed, and no other', async () => {
    const { batches, reads } = heldDatabase({ batchSizeMax: 2 })
    const outcomes = ['a', 'b', 'c', 'd'].map((subject) => codeOf(reads.read({ subject })))
    batches[0]?.answer()
    await settled()
    batches[1]?.fail(new MillraceError('storage_unavailable', 'down'))
    await settled()
    batches[2]?.answer()
    expect(await Promise.all(outcomes))
      .toEqual(['answered', 'storage_unavailable', 'storage_unavailable', 'answered'])
  })

  it('settle a read in time, in flight or waiting, and abort the query', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { batches, signals, reads } = heldDatabase({ timeoutMs: 50 })
    const outcomes = ['a', 'b'].map((subject) => codeOf(reads.read({ subject })))
    vi.advanceTimersByTime(50)
    expect(await Promise.all(outcomes)).toEqual(['storage_unavailable', 'storage_unavailable'])
    expect(signals[0]?.aborted).toBe(true)
    expect(reads.waitingCount).toBe(0)
    batches[0]?.fail(new Error('aborted'))
    await settled()
    expect(batches).toHaveLength(1)
  })

  it('do not ask for what nobody waits for any more', async () => {
    const { batches, reads } = heldDatabase()
    const gone = new AbortController()
    const first = reads.read({ subject: 'a' })
    const left = reads.read({ subject: 'b' }, gone.signal).catch((error: unknown) => error)
    const shared = [reads.read({ subject: 'c' }, gone.signal).catch(() => 'left'), reads.read({ subject: 'c' })]
    gone.abort('gone')
    expect(await left).toBe('gone')
    batches[0]?.answer()
    await first
    expect(batches[1]?.subjects).toEqual(['c'])
    batches[1]?.answer()
    expect(await Promise.all(shared)).toEqual(['left', 'c:0'])
    await expect(reads.read({ subject: 'd' }, gone.signal)).rejects.toBe('gone')
  })

  it('refuse with shutting_down what waits and what comes after close', async () => {
    const { batches, signals, reads } = heldDatabase()
    const outcomes = ['a', 'b'].map((subject) => codeOf(reads.read({ subject })))
    reads.close()
    expect(signals[0]?.aborted).toBe(true)
    batches[0]?.fail(signals[0]?.reason)
    expect(await Promise.all(outcomes)).toEqual(['shutting_down', 'shutting_down'])
    expect(await codeOf(reads.read({ subject: 'c' }))).toBe('shutting_down')
  })

  it('give every request its own answer, whatever comes and whichever query fails', async () => {
    const request = fc.record({
      subject: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      range: fc.nat(2),
      group: fc.constantFrom('g', 'h'),
      bytes: fc.nat(60)
    })
    const arrivals = fc.array(request, { maxLength: 30 })
    await fc.assert(fc.asyncProperty(arrivals, fc.nat(5), async (requests, failing) => {
      let calls = 0
      const reads = new SharedRead<Required<Request>, string>({
        limits: { ...LIMITS, queueMax: 30, inFlightMax: 2 },
        keyOf: (read) => JSON.stringify(read),
        groupOf: ({ group }) => group,
        subjectOf: ({ subject }) => subject,
        bytesOf: ({ bytes }) => bytes,
        readMany: async (batch) => {
          expect(new Set(batch.map(({ subject }) => subject)).size).toBe(batch.length)
          expect(new Set(batch.map(({ group }) => group)).size).toBe(1)
          expect(batch.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(100)
          await settled()
          if (calls++ === failing) throw new Error('failed')
          return batch.map((read) => JSON.stringify(read))
        }
      })
      const outcomes = await Promise.allSettled(requests.map((read) => reads.read(read)))
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') expect(outcome.value).toBe(JSON.stringify(requests[index]))
        else expect(outcome.reason).toEqual(new Error('failed'))
      }
      const failed = requests.filter((_, index) => outcomes[index]?.status === 'rejected')
      expect(new Set(failed.map((read) => JSON.stringify(read))).size).toBeLessThanOrEqual(4)
    }), { numRuns: 50 })
  })
})
