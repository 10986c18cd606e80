import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LogUnavailableError, RecordTooLargeError } from '../../eventlog/index.ts'
import { failOn } from '../support/memory-log.ts'
import { buildAppender, metricValue } from '../support/ingest-server.ts'
import type { AppendRecord } from '../../eventlog/index.ts'

const TOPIC = 'user_tags'

function recordOf (name: string, bytes = 10): AppendRecord {
  return { key: Buffer.from(name), value: Buffer.alloc(bytes, name), timestampMs: 1 }
}

function names (records: readonly AppendRecord[]): string[] {
  return records.map((record) => record.key.toString())
}

/** `stored`, or the code of the refusal. */
function outcome (appended: Promise<void>): Promise<string> {
  return appended.then(() => 'stored', (error: { code: string }) => error.code)
}

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

describe('group commit', () => {
  test('what queues while an append is in flight shares the next one, in order', async () => {
    const { appender, log } = buildAppender()
    log.hold(true)
    const first = outcome(appender.append(TOPIC, recordOf('r0')))
    await vi.advanceTimersByTimeAsync(1)
    const rest = Array.from({ length: 20 }, (_, n) => outcome(appender.append(TOPIC, recordOf(`r${n + 1}`))))
    await vi.advanceTimersByTimeAsync(1)
    expect(log.begun()).toBe(1)
    log.hold(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all([first, ...rest])).toEqual(Array(21).fill('stored'))
    expect(log.batches.map((batch) => batch.records.length)).toEqual([1, 20])
    expect(names(log.records())).toEqual(Array.from({ length: 21 }, (_, n) => `r${n}`))
  })

  test('the records of one request stay together, in order, between those of others', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 4 })
    log.hold(true)
    const first = outcome(appender.append(TOPIC, recordOf('a')))
    await vi.advanceTimersByTimeAsync(1)
    const many = outcome(appender.appendMany(TOPIC, ['b', 'c', 'd'].map((name) => recordOf(name))))
    const others = ['e', 'f'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
    log.hold(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all([first, many, ...others])).toEqual(Array(4).fill('stored'))
    expect(log.batches.map((batch) => names(batch.records))).toEqual([['a'], ['b', 'c', 'd', 'e'], ['f']])
  })

  test('a request larger than an append goes into several, by records and by bytes', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 3, batchBytesMax: 400 })
    const small = Array.from({ length: 7 }, (_, n) => recordOf(`${n}`))
    const large = Array.from({ length: 3 }, (_, n) => recordOf(`${n}`, 130))
    const outcomes = [outcome(appender.appendMany(TOPIC, small)), outcome(appender.appendMany(TOPIC, large))]
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all(outcomes)).toEqual(['stored', 'stored'])
    expect(log.batches.map((batch) => batch.records.length)).toEqual([3, 3, 1, 2, 1])
    expect(names(log.records())).toEqual([...small, ...large].map((record) => record.key.toString()))
  })

  test('a request is taken whole or not at all', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 2, queueRecordsMax: 5, batchBytesMax: 400 })
    const many = (count: number) => Array.from({ length: count }, (_, n) => recordOf(`${n}`))
    expect(await outcome(appender.appendMany(TOPIC, many(6)))).toBe('overloaded')
    expect(await outcome(appender.appendMany(TOPIC, [...many(3), recordOf('large', 400)]))).toBe('body_too_large')
    await vi.advanceTimersByTimeAsync(1)
    expect(log.begun()).toBe(0)
    const taken = outcome(appender.appendMany(TOPIC, many(5)))
    await vi.advanceTimersByTimeAsync(1)
    expect(await taken).toBe('stored')
  })

  test('a request of which one append fails is refused, though others were stored', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 1 }, { failure: failOn(2) })
    const many = outcome(appender.appendMany(TOPIC, ['a', 'b', 'c'].map((name) => recordOf(name))))
    await vi.advanceTimersByTimeAsync(1)
    expect(await many).toBe('log_unavailable')
    expect(names(log.records())).toEqual(['a', 'c'])
  })

  test('an append holds no more records and bytes than its limits', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 4, batchBytesMax: 300 })
    const sizes = [10, 10, 10, 10, 10, 200, 200, 10]
    const all = sizes.map((size, n) => outcome(appender.append(TOPIC, recordOf(`r${n}`, size))))
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all(all)).toEqual(sizes.map(() => 'stored'))
    expect(log.batches.map((batch) => names(batch.records))).toEqual([
      ['r0', 'r1', 'r2'], ['r3', 'r4'], ['r5'], ['r6'], ['r7']
    ])
  })

  test('no more appends are in flight than allowed', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 1, appendsInFlightMax: 2 })
    log.hold(true)
    const all = ['a', 'b', 'c'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
    await vi.advanceTimersByTimeAsync(1)
    expect(log.begun()).toBe(2)
    log.hold(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all(all)).toEqual(['stored', 'stored', 'stored'])
  })

  test('a lone record is appended at once, and those that follow closely share an append', async () => {
    const { appender, log } = buildAppender({ appendIntervalMs: 4 })
    const append = (name: string) => outcome(appender.append(TOPIC, recordOf(name)))
    const all = [append('a')]
    await vi.advanceTimersByTimeAsync(1)
    expect(log.batches.length).toBe(1)
    all.push(append('b'), append('c'))
    await vi.advanceTimersByTimeAsync(3)
    expect(log.batches.map((batch) => names(batch.records))).toEqual([['a'], ['b', 'c']])
    expect(await Promise.all(all)).toEqual(['stored', 'stored', 'stored'])
  })

  test('many records do not wait for more', async () => {
    const { appender, log } = buildAppender({ appendIntervalMs: 1_000 })
    const first = outcome(appender.append(TOPIC, recordOf('first')))
    await vi.advanceTimersByTimeAsync(1)
    const many = Array.from({ length: 32 }, (_, n) => outcome(appender.append(TOPIC, recordOf(`${n}`))))
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all([first, ...many])).toEqual(Array(33).fill('stored'))
    expect(log.batches.map((batch) => batch.records.length)).toEqual([1, 32])
  })

  test('topics do not wait for one another', async () => {
    const { appender, log } = buildAppender()
    log.hold(true)
    const all = ['one', 'two'].map((topic) => outcome(appender.append(topic, recordOf(topic))))
    await vi.advanceTimersByTimeAsync(1)
    expect(log.begun()).toBe(2)
    log.hold(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all(all)).toEqual(['stored', 'stored'])
  })
})

describe('budget', () => {
  test('a record still queued when its budget passes is refused at once and never appended', async () => {
    const { appender, log } = buildAppender({ budgetMs: 200 })
    log.hold(true)
    const inFlight = outcome(appender.append(TOPIC, recordOf('in flight')))
    await vi.advanceTimersByTimeAsync(50)
    let queuedAt: number | undefined
    const startMs = performance.now()
    const queued = outcome(appender.append(TOPIC, recordOf('queued')))
      .finally(() => { queuedAt = performance.now() - startMs })
    await vi.advanceTimersByTimeAsync(150)
    expect(await inFlight).toBe('log_unavailable')
    await vi.advanceTimersByTimeAsync(51)
    expect(await queued).toBe('log_unavailable')
    expect(queuedAt).toBeGreaterThanOrEqual(200)
    expect(queuedAt).toBeLessThanOrEqual(201)
    log.hold(false)
    const later = outcome(appender.append(TOPIC, recordOf('later')))
    await vi.advanceTimersByTimeAsync(1)
    expect(await later).toBe('stored')
    expect(names(log.records())).toEqual(['in flight', 'later'])
  })

  test('what leaves the queue late frees its bytes', async () => {
    const { appender, log } = buildAppender({ budgetMs: 100, queueBytesMax: 200 })
    log.hold(true)
    const first = [outcome(appender.append(TOPIC, recordOf('a')))]
    await vi.advanceTimersByTimeAsync(1)
    first.push(outcome(appender.append(TOPIC, recordOf('b', 100))))
    expect(await outcome(appender.append(TOPIC, recordOf('c', 100)))).toBe('overloaded')
    await vi.advanceTimersByTimeAsync(102)
    expect(await Promise.all(first)).toEqual(['log_unavailable', 'log_unavailable'])
    const third = outcome(appender.append(TOPIC, recordOf('d', 100)))
    log.hold(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await third).toBe('stored')
  })
})

describe('limits and faults', () => {
  test('a full queue refuses at once, by records and by bytes', async () => {
    for (const limit of [{ queueRecordsMax: 2 }, { queueBytesMax: 160 }]) {
      const { appender, log } = buildAppender(limit)
      const all = ['a', 'b', 'c'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
      expect(await all[2]).toBe('overloaded')
      await vi.advanceTimersByTimeAsync(1)
      expect(await Promise.all(all)).toEqual(['stored', 'stored', 'overloaded'])
      expect(names(log.records())).toEqual(['a', 'b'])
    }
  })

  test('a failed append refuses its own records only', async () => {
    const { appender, log } = buildAppender({ batchRecordsMax: 2 }, { failure: failOn(2) })
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all(all)).toEqual(['stored', 'stored', 'log_unavailable', 'log_unavailable', 'stored'])
    expect(names(log.records())).toEqual(['a', 'b', 'e'])
  })

  test('a record that the log finds too large fails alone', async () => {
    const { appender, log } = buildAppender({}, {
      failure: (_append, records) => {
        return names(records).includes('large') ? new RecordTooLargeError('too large') : undefined
      }
    })
    const all = ['a', 'large', 'b'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all(all)).toEqual(['stored', 'body_too_large', 'stored'])
    expect(names(log.records())).toEqual(['a', 'b'])
  })

  test('a record larger than an append is refused before it queues', async () => {
    const { appender, log } = buildAppender({ batchBytesMax: 1024 })
    expect(await outcome(appender.append(TOPIC, recordOf('a', 1024)))).toBe('body_too_large')
    expect(log.begun()).toBe(0)
  })
})

describe('close', () => {
  test('finishes what was taken, and refuses what comes after', async () => {
    const { appender, log } = buildAppender()
    const all = ['a', 'b'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
    const closed = appender.close()
    expect(await outcome(appender.append(TOPIC, recordOf('c')))).toBe('shutting_down')
    await vi.advanceTimersByTimeAsync(1)
    await closed
    expect(await Promise.all(all)).toEqual(['stored', 'stored'])
    expect(names(log.records())).toEqual(['a', 'b'])
  })

  test('ends within the budget though the log hangs', async () => {
    const { appender, log } = buildAppender({ budgetMs: 200 })
    log.hold(true)
    const hanging = outcome(appender.append(TOPIC, recordOf('a')))
    await vi.advanceTimersByTimeAsync(1)
    const closed = appender.close()
    await vi.advanceTimersByTimeAsync(200)
    await closed
    expect(await hanging).toBe('log_unavailable')
  })
})

test('metrics count what became durable, by stream, and each append once', async () => {
  const { appender, registry } = buildAppender()
  const all = ['a', 'b', 'c'].map((name) => outcome(appender.append(TOPIC, recordOf(name))))
  await vi.advanceTimersByTimeAsync(1)
  await Promise.all(all)
  expect(await metricValue(registry, 'millrace_events_accepted_total{stream="user_tags"}')).toBe(3)
  expect(await metricValue(registry, 'millrace_ingest_append_records_sum{stream="user_tags"}')).toBe(3)
  expect(await metricValue(registry, 'millrace_ingest_append_records_count{stream="user_tags"}')).toBe(1)
  expect(await metricValue(registry, 'millrace_ingest_queue_records{stream="user_tags"}')).toBe(0)
})

test('every accepted record is appended exactly once, in order; what was refused unsent never is', async () => {
  const append = fc.record({ kind: fc.constant('append' as const), bytes: fc.nat(300) })
  const wait = fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(120) })
  const hold = fc.record({ kind: fc.constant('hold' as const), held: fc.boolean() })
  const step = fc.oneof(
    { weight: 4, arbitrary: append }, { weight: 2, arbitrary: wait }, { weight: 1, arbitrary: hold }
  )
  const plans = fc.array(step, { maxLength: 60 })
  await fc.assert(fc.asyncProperty(plans, fc.func(fc.nat(4)), async (steps, fate) => {
    const sent = new Set<string>()
    const { appender, log } = buildAppender(
      { budgetMs: 100, queueRecordsMax: 8, queueBytesMax: 900, batchRecordsMax: 3, batchBytesMax: 500 },
      {
        failure: (number, records) => {
          for (const name of names(records)) sent.add(name)
          return fate(number) === 0 ? new LogUnavailableError('refused') : undefined
        }
      }
    )
    const outcomes = new Map<string, { result: string, sentBefore: boolean }>()
    for (const [n, action] of steps.entries()) {
      if (action.kind === 'wait') await vi.advanceTimersByTimeAsync(action.ms)
      else if (action.kind === 'hold') log.hold(action.held)
      else {
        const record = recordOf(`r${n}`, action.bytes)
        outcome(appender.append(TOPIC, record)).then((result) => {
          outcomes.set(`r${n}`, { result, sentBefore: sent.has(`r${n}`) })
        })
      }
    }
    const closed = appender.close()
    await vi.advanceTimersByTimeAsync(101)
    await closed
    log.hold(false)
    await vi.advanceTimersByTimeAsync(1)
    const stored = names(log.records())
    expect(new Set(stored).size).toBe(stored.length)
    expect(stored).toEqual([...stored].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))))
    expect(outcomes.size).toBe(steps.filter((action) => action.kind === 'append').length)
    for (const [name, { result, sentBefore }] of outcomes) {
      if (result === 'stored') expect(stored).toContain(name)
      if (!sentBefore) expect(sent.has(name)).toBe(false)
    }
  }), { numRuns: 200 })
})
