import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { createDecoder, streams } from '../../contract/index.ts'
import { NOTHING_ERASED, runPartitionWorker } from '../../processors/index.ts'
import { PartitionDouble, SinkDouble } from '../support/delivery-doubles.ts'
import { MemoryStoredIds } from '../support/memory-stored-ids.ts'
import { createUserTagRecords } from './user-tag-records.ts'
import type { Stream } from '../../contract/index.ts'
import type { WorkerObserver } from '../../processors/index.ts'
import type { UserTagOptions, UserTagRecords } from './user-tag-records.ts'

const WINDOW_MS = 1_000
const DAY_MS = 86_400_000
const stream = streams[0] as Stream
const TABLES = { rows: 'user_tags', books: { deadLetters: 'dead_letters', batches: 'batches' } }
let records: UserTagRecords
beforeAll(async () => { records = await createUserTagRecords() })

/** A partition and its tables, worked on by one owner after another. */
class Pipeline {
  readonly partition = new PartitionDouble()
  readonly sink = new SinkDouble()
  readonly retries: string[] = []
  step: (name: string) => void = () => {}
  readonly storedIds = new MemoryStoredIds({
    rows: () => this.sink.rows('user_tags'), subject: 'cookie', step: (name) => this.step(name)
  })

  append (receivedAtMs: number, options: UserTagOptions): void {
    this.partition.append(records.bytes({ eventIdOrigin: 'BODY', ...options }), receivedAtMs)
  }

  /** Delivers all that is there, as a new owner; a fault at a step ends it there. */
  async run ({ rowsMax = 100, windowMs = WINDOW_MS, idsMax = 1_000 } = {}): Promise<void> {
    const observer: WorkerObserver = {
      stored: () => {}, missing: () => {}, retrying: ({ error }) => { this.retries.push(error.message) }
    }
    await runPartitionWorker({
      session: this.partition.open(),
      stream,
      decoder: createDecoder(stream),
      sink: this.sink,
      tables: TABLES,
      storedIds: this.storedIds,
      erasures: NOTHING_ERASED,
      limits: { rowsMax, bytesMax: 1_000_000, ageMsMax: 1 },
      duplicates: { windowMs, idsMax },
      retryMsMax: 1,
      schemaWaitMs: 0,
      monotonicMs: () => performance.now(),
      observer
    })
  }

  offsets (table = 'user_tags'): number[] {
    return this.sink.rows(table).map((row) => Number(row['_offset'] ?? row['offset']))
  }

  get duplicates (): number {
    return this.sink.rows('batches').reduce((sum, row) => sum + Number(row['duplicates']), 0)
  }
}

describe('an id that came before', () => {
  test.each([
    ['in one batch', { rowsMax: 10 }], ['across batches', { rowsMax: 1 }]
  ])('is stored once %s, and the ledger counts the copies', async (_where, limits) => {
    const pipeline = new Pipeline()
    for (const ms of [5_000, 5_001, 5_500]) pipeline.append(ms, { eventId: 'a' })
    await pipeline.run(limits)
    expect(pipeline.offsets()).toEqual([0])
    expect(pipeline.duplicates).toBe(2)
  })

  test('is stored once when another owner meets the copy', async () => {
    const pipeline = new Pipeline()
    pipeline.append(5_000, { eventId: 'a' })
    await pipeline.run()
    pipeline.append(5_100, { eventId: 'a' })
    await pipeline.run()
    expect(pipeline.offsets()).toEqual([0])
    expect(pipeline.duplicates).toBe(1)
  })

  test('is stored once whether it came in the body, in a header or from a spool', async () => {
    for (const eventIdOrigin of ['BODY', 'HEADER', 'SPOOL'] as const) {
      const pipeline = new Pipeline()
      pipeline.append(5_000, { eventId: 'a', eventIdOrigin })
      pipeline.append(5_000, { eventId: 'a', eventIdOrigin })
      await pipeline.run()
      expect(pipeline.offsets()).toEqual([0])
    }
  })

  test('is another event for another subject, and for another tenant', async () => {
    const pipeline = new Pipeline()
    pipeline.append(5_000, { eventId: 'a' })
    pipeline.append(5_000, { eventId: 'a', cookie: 'd' })
    pipeline.append(5_000, { eventId: 'a', tenant: 'acme' })
    await pipeline.run()
    expect(pipeline.offsets()).toEqual([0, 1, 2])
  })

  test('is stored again once the window has passed, not a millisecond earlier', async () => {
    const pipeline = new Pipeline()
    pipeline.append(5_000, { eventId: 'a' })
    pipeline.append(5_000 + WINDOW_MS, { eventId: 'a' })
    pipeline.append(5_000 + WINDOW_MS + 1, { eventId: 'a' })
    await pipeline.run()
    expect(pipeline.offsets()).toEqual([0, 2])
  })

  test('counts though the clock of a second ingest stands behind', async () => {
    const pipeline = new Pipeline()
    pipeline.append(5_000, { eventId: 'a' })
    pipeline.append(4_900, { eventId: 'a' })
    await pipeline.run()
    expect(pipeline.offsets()).toEqual([0])
  })

  test('does not count where its first copy was dead-lettered or refused', async () => {
    const pipeline = new Pipeline()
    pipeline.append(5_000, { eventId: 'a', time: -1 })
    pipeline.append(5_001, { eventId: 'b', price: 13 })
    pipeline.append(5_002, { eventId: 'a' })
    pipeline.append(5_003, { eventId: 'b' })
    pipeline.sink.refuses = (row) => row['price'] === 13
    await pipeline.run()
    expect(pipeline.offsets()).toEqual([2, 3])
    expect(pipeline.offsets('dead_letters')).toEqual([0, 1])
    expect(pipeline.duplicates).toBe(0)
  })

  test('is stored each time where the window is 0', async () => {
    const pipeline = new Pipeline()
    pipeline.append(5_000, { eventId: 'a' })
    pipeline.append(5_000, { eventId: 'a' })
    await pipeline.run({ windowMs: 0 })
    expect(pipeline.offsets()).toEqual([0, 1])
    expect(pipeline.storedIds.calls).toEqual({ newest: 0, find: 0 })
  })
})

test('ids of the server are not looked up', async () => {
  const pipeline = new Pipeline()
  for (let number = 0; number < 5; number++) pipeline.append(5_000, { eventId: 'a', eventIdOrigin: 'SERVER' })
  await pipeline.run({ rowsMax: 2 })
  expect(pipeline.offsets()).toHaveLength(5)
  expect(pipeline.storedIds.calls).toEqual({ newest: 0, find: 0 })
})

test('live traffic reads the table once a session', async () => {
  const pipeline = new Pipeline()
  for (let number = 0; number < 50; number++) {
    pipeline.append(5_000 + 100 * number, { eventId: String(number % 7) })
  }
  await pipeline.run({ rowsMax: 2 })
  expect(pipeline.storedIds.calls).toEqual({ newest: 1, find: 0 })
})

test('a look-up that fails is repeated, and nothing is stored meanwhile', async () => {
  const pipeline = new Pipeline()
  pipeline.append(5_000, { eventId: 'a' })
  pipeline.append(5_000, { eventId: 'a' })
  let faults = 0
  pipeline.step = () => {
    expect(pipeline.offsets()).toEqual([])
    if (faults++ < 5) throw new Error('MEMORY_LIMIT_EXCEEDED')
  }
  await pipeline.run()
  expect(pipeline.retries).toEqual(Array.from({ length: 5 }, () => 'MEMORY_LIMIT_EXCEEDED'))
  expect(pipeline.offsets()).toEqual([0])
})

test('a redo looks within the window that was announced, whatever the setting is by then', async () => {
  const pipeline = new Pipeline()
  pipeline.append(5_000, { eventId: 'a' })
  await pipeline.run()
  pipeline.append(9_000, { eventId: 'a' })
  pipeline.sink.step = (name) => { if (name === 'before insert batches') pipeline.partition.generation++ }
  await pipeline.run()
  pipeline.sink.step = () => {}
  await pipeline.run({ windowMs: 60_000 })
  expect(pipeline.offsets()).toEqual([0, 1])
  expect(pipeline.duplicates).toBe(0)
})

interface Arrival {
  id: number
  receivedAtMs: number
}

/** Offsets that are stored, by the rule alone: no other copy that is stored is as near as the window. */
function storedByTheRule (arrivals: readonly Arrival[]): number[] {
  const stored: Array<Arrival & { offset: number }> = []
  arrivals.forEach((arrival, offset) => {
    const isCopy = stored.some(({ id, receivedAtMs }) => {
      return id === arrival.id && Math.abs(receivedAtMs - arrival.receivedAtMs) <= WINDOW_MS
    })
    if (!isCopy) stored.push({ ...arrival, offset })
  })
  return stored.map(({ offset }) => offset)
}

test('however batches are cut, owners change, clocks differ and memory is short, the rule alone decides', {
  timeout: 600_000
}, async () => {
  // Clocks that mostly go on, stand apart by parts of the window, and now and then are days off.
  const offMs = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -300, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: -3, max: 3 }).map((days) => days * DAY_MS) }
  )
  const arrival = fc.record({ id: fc.nat(12), passedMs: fc.nat(250), offMs })
  const steps = fc.array(arrival, { minLength: 1, maxLength: 60 })
  const owners = fc.array(fc.record({
    appends: fc.integer({ min: 1, max: 30 }),
    rowsMax: fc.integer({ min: 1, max: 9 }),
    idsMax: fc.integer({ min: 1, max: 20 })
  }), { minLength: 1, maxLength: 5 })
  await fc.assert(fc.asyncProperty(steps, owners, async (plan, sessions) => {
    let nowMs = 10 * DAY_MS
    const arrivals = plan.map(({ id, passedMs, offMs }): Arrival => {
      nowMs += passedMs
      return { id, receivedAtMs: nowMs + offMs }
    })
    const pipeline = new Pipeline()
    let next = 0
    for (const { appends, ...limits } of [...sessions, { appends: Infinity, rowsMax: 4, idsMax: 5 }]) {
      for (const { id, receivedAtMs } of arrivals.slice(next, next + appends)) {
        pipeline.append(receivedAtMs, { eventId: String(id) })
      }
      next += appends
      await pipeline.run(limits)
    }
    const stored = storedByTheRule(arrivals)
    expect(pipeline.offsets()).toEqual(stored)
    expect(pipeline.duplicates).toBe(arrivals.length - stored.length)
  }), { numRuns: 300 })
})
