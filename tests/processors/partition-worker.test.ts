import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { createDecoder, streams } from '../../contract/index.ts'
import { LogUnavailableError } from '../../eventlog/index.ts'
import { NOTHING_ERASED, runPartitionWorker } from '../../processors/index.ts'
import { PartitionDouble, SinkDouble } from '../support/delivery-doubles.ts'
import { MemoryStoredIds } from '../support/memory-stored-ids.ts'
import { createUserTagRecords } from './user-tag-records.ts'
import type { Row, Stream } from '../../contract/index.ts'
import type { PartitionSession } from '../../eventlog/index.ts'
import type { RecordErasures, WorkerObserver } from '../../processors/index.ts'
import type { UserTagRecords } from './user-tag-records.ts'

const stream = streams[0] as Stream
let records: UserTagRecords
beforeAll(async () => { records = await createUserTagRecords() })

const eventBytes = (number: number): Buffer => records.bytes({ eventId: String(number) })

function partitionOf (count: number): PartitionDouble {
  const partition = new PartitionDouble()
  for (let number = 0; number < count; number++) partition.append(eventBytes(number))
  return partition
}

const TABLES = { rows: 'user_tags', books: { deadLetters: 'dead_letters', batches: 'batches' } }
const silent: WorkerObserver = { stored: () => {}, retrying: () => {}, missing: () => {} }

interface RunOptions {
  session: PartitionSession
  sink: SinkDouble
  rowsMax?: number
  observer?: Partial<WorkerObserver>
  erasures?: RecordErasures
}

async function run (
  { session, sink, rowsMax = 4, observer = {}, erasures = NOTHING_ERASED }: RunOptions
): Promise<void> {
  await runPartitionWorker({
    session,
    stream,
    decoder: createDecoder(stream),
    sink,
    tables: TABLES,
    storedIds: new MemoryStoredIds({ rows: () => sink.rows('user_tags'), subject: 'cookie' }),
    erasures,
    limits: { rowsMax, bytesMax: 1_000_000, ageMsMax: 1 },
    duplicates: { windowMs: 600_000, idsMax: 1_000 },
    retryMsMax: 1,
    schemaWaitMs: 0,
    monotonicMs: () => performance.now(),
    observer: { ...silent, ...observer }
  })
}

const idsOf = (rows: Row[]) => rows.map((row) => Number(row['event_id']))
const upTo = (count: number) => Array.from({ length: count }, (_unused, index) => index)

/** Records accounted for by the ledger's rows, which must follow each other without a gap. */
function ledgerOffsets (sink: SinkDouble): number {
  const books = sink.rows('batches').toSorted((a, b) => Number(a['first_offset']) - Number(b['first_offset']))
  let next = 0
  for (const book of books) {
    expect(book['first_offset']).toBe(next)
    next = Number(book['last_offset']) + 1
    expect(Number(book['stored']) + Number(book['dead_lettered'])).toBe(next - Number(book['first_offset']))
  }
  return next
}

test('every record is stored in order, and each batch is announced before it is inserted', async () => {
  const partition = partitionOf(10)
  const sink = new SinkDouble()
  await run({ session: partition.open(), sink })
  expect(idsOf(sink.rows('user_tags'))).toEqual(upTo(10))
  expect(partition.commits.slice(0, 3)).toEqual([
    { offset: 0, metadata: '{"end":4,"windowMs":600000,"erasedAsOfMs":0}' }, { offset: 4, metadata: '' }, { offset: 4, metadata: '{"end":8,"windowMs":600000,"erasedAsOfMs":0}' }
  ])
  expect(ledgerOffsets(sink)).toBe(10)
})

test('a batch whose erasures cannot be told is stored by nobody, and by whoever takes the partition next', async () => {
  const partition = partitionOf(3)
  const sink = new SinkDouble()
  const untold: RecordErasures = {
    current: async () => ({ asOfMs: 0, isErased: () => { throw new Error('they were forgotten') } })
  }
  await expect(run({ session: partition.open(), sink, erasures: untold })).rejects.toThrow('they were forgotten')
  expect(sink.tables.size).toBe(0)
  await run({ session: partition.open(), sink })
  expect(idsOf(sink.rows('user_tags'))).toEqual(upTo(3))
  expect(ledgerOffsets(sink)).toBe(3)
})

test('a record that cannot be decoded is dead-lettered alone', async () => {
  const partition = partitionOf(2)
  partition.append(Buffer.from('junk'))
  partition.append(eventBytes(3))
  const sink = new SinkDouble()
  await run({ session: partition.open(), sink })
  expect(idsOf(sink.rows('user_tags'))).toEqual([0, 1, 3])
  expect(sink.rows('dead_letters')).toMatchObject([
    { id: 'user_tags-0-2', offset: 2, reason: 'bad_framing', value_base64: Buffer.from('junk').toString('base64') }
  ])
  expect(ledgerOffsets(sink)).toBe(4)
})

test('a record whose time no table can hold is dead-lettered, not clamped', async () => {
  const partition = new PartitionDouble()
  partition.append(records.bytes({ eventId: '0', time: -1 }))
  partition.append(eventBytes(1), -1)
  const sink = new SinkDouble()
  await run({ session: partition.open(), sink })
  expect(sink.rows('dead_letters').map((row) => row['reason'])).toEqual(['invalid_record', 'invalid_record'])
  expect(sink.rows('user_tags')).toEqual([])
})

describe('rows that storage refuses', () => {
  test('are found by splitting and dead-lettered alone; all others land once', { timeout: 600_000 }, async () => {
    await fc.assert(fc.asyncProperty(fc.uniqueArray(fc.nat(19)), async (refused) => {
      const partition = partitionOf(20)
      const sink = new SinkDouble()
      sink.refuses = (row) => refused.includes(Number(row['event_id']))
      await run({ session: partition.open(), sink, rowsMax: 20 })
      expect(idsOf(sink.rows('user_tags'))).toEqual(upTo(20).filter((id) => !refused.includes(id)))
      expect(sink.rows('dead_letters').map((row) => row['offset'])).toEqual(refused.toSorted((a, b) => a - b))
      expect(ledgerOffsets(sink)).toBe(20)
    }))
  })

  test('stay dead letters when a redo would find them accepted', async () => {
    const partition = partitionOf(1)
    const sink = new SinkDouble()
    sink.refuses = (row) => row['event_id'] === '0'
    sink.step = (name) => { if (name === 'after insert dead_letters') partition.generation++ }
    await run({ session: partition.open(), sink })
    sink.step = () => {}
    sink.refuses = () => false
    await run({ session: partition.open(), sink })
    expect(sink.rows('user_tags')).toEqual([])
    expect(sink.rows('dead_letters')).toHaveLength(1)
    expect(ledgerOffsets(sink)).toBe(1)
  })
})

test('insert faults are repeated without end, nothing is skipped, and each is reported', async () => {
  const partition = partitionOf(6)
  const sink = new SinkDouble()
  let faults = 0
  sink.step = (name) => {
    if (name === 'after insert user_tags' && faults++ < 25) throw new Error('MEMORY_LIMIT_EXCEEDED')
  }
  const attempts: number[] = []
  await run({
    session: partition.open(), sink, observer: { retrying: ({ attempt }) => { attempts.push(attempt) } }
  })
  expect(attempts).toEqual(Array.from({ length: 25 }, (_unused, index) => index + 1))
  expect(idsOf(sink.rows('user_tags'))).toEqual(upTo(6))
})

test('a commit whose outcome is unknown is repeated', async () => {
  const partition = partitionOf(6)
  let faults = 0
  const session = partition.open((name) => {
    if (name === 'after commit' && faults++ % 2 === 0) throw new LogUnavailableError('no answer')
  })
  const sink = new SinkDouble()
  await run({ session, sink })
  expect(idsOf(sink.rows('user_tags'))).toEqual(upTo(6))
  expect(partition.committed).toEqual({ offset: 6, metadata: '' })
})

test('an owner that is fenced before it announces a batch inserts nothing', async () => {
  const partition = partitionOf(3)
  const session = partition.open()
  partition.open()
  const sink = new SinkDouble()
  await run({ session, sink })
  expect(sink.tables.size).toBe(0)
})

test('records that the log deleted before they were stored are reported', async () => {
  const partition = partitionOf(10)
  partition.records = partition.records.slice(6)
  const sink = new SinkDouble()
  const gaps: object[] = []
  await run({ session: partition.open(), sink, observer: { missing: (gap) => { gaps.push(gap) } } })
  expect(gaps).toEqual([{ topic: 'user_tags', partition: 0, from: 0, to: 6 }])
  expect(idsOf(sink.rows('user_tags'))).toEqual([6, 7, 8, 9])
})

test('a log that began anew at offset 0 is stored, though its offsets were seen before', async () => {
  const sink = new SinkDouble()
  await run({ session: partitionOf(4).open(), sink })
  const anew = new PartitionDouble()
  for (let number = 4; number < 8; number++) anew.append(eventBytes(number), 2_000_000)
  await run({ session: anew.open(), sink })
  expect(idsOf(sink.rows('user_tags'))).toEqual(upTo(8))
})

test('metadata that is not ours stops the partition instead of guessing', async () => {
  const partition = partitionOf(1)
  partition.committed = { offset: 0, metadata: '{"other":1}' }
  await expect(run({ session: partition.open(), sink: new SinkDouble() })).rejects.toThrow('not ours')
})
