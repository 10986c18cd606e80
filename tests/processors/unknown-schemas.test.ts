/** Records that this release cannot read, since a newer one wrote them or nobody of ours did. */
import { beforeAll, expect, test } from 'vitest'
import { createDecoder, streams } from '../../contract/index.ts'
import { NOTHING_ERASED, runPartitionWorker } from '../../processors/index.ts'
import { PartitionDouble, SinkDouble } from '../support/delivery-doubles.ts'
import { MemoryStoredIds } from '../support/memory-stored-ids.ts'
import { createUserTagRecords } from './user-tag-records.ts'
import type { RecordDecoder, Row, Stream } from '../../contract/index.ts'
import type { WorkerObserver } from '../../processors/index.ts'
import type { UserTagRecords } from './user-tag-records.ts'

const WAIT_MS = 60_000
const stream = streams[0] as Stream
let records: UserTagRecords
beforeAll(async () => { records = await createUserTagRecords() })

/** Single-object framing with a fingerprint that nobody has. */
const foreign = (number: number): Buffer => {
  const bytes = Buffer.alloc(11)
  bytes.writeUInt16BE(0xc301)
  bytes.writeUInt32BE(number, 2)
  return bytes
}

interface RunOptions {
  partition: PartitionDouble
  sink: SinkDouble
  decoder?: RecordDecoder<Row>
  onRetry?: () => void
  monotonicMs?: () => number
  /** Ends the session. */
  signal?: AbortSignal
}

async function run ({ partition, sink, decoder, onRetry, monotonicMs, signal }: RunOptions): Promise<void> {
  const observer: WorkerObserver = { stored: () => {}, retrying: () => onRetry?.(), missing: () => {} }
  const session = partition.open()
  const signals = signal === undefined ? [session.signal] : [session.signal, signal]
  await runPartitionWorker({
    session: { ...session, signal: AbortSignal.any(signals) },
    stream,
    decoder: decoder ?? createDecoder(stream),
    sink,
    tables: { rows: 'user_tags', books: { deadLetters: 'dead_letters', batches: 'batches' } },
    storedIds: new MemoryStoredIds({ rows: () => sink.rows('user_tags'), subject: 'cookie' }),
    erasures: NOTHING_ERASED,
    limits: { rowsMax: 1_000, bytesMax: 1_000_000, ageMsMax: 1 },
    duplicates: { windowMs: 0, idsMax: 1_000 },
    retryMsMax: 1,
    schemaWaitMs: WAIT_MS,
    monotonicMs: monotonicMs ?? (() => 0),
    observer
  })
}

/** A decoder that does not know our own schema until `learnt`. */
function laterDecoder (id: string): RecordDecoder<Row> & { learnt: boolean } {
  const decoder = createDecoder(stream)
  const later = {
    learnt: false,
    decode: (values: readonly Buffer[], unknownIds: readonly string[] = []) => {
      return decoder.decode(values, later.learnt ? unknownIds : [...unknownIds, id])
    }
  }
  return later
}

const schemaIdOf = (bytes: Buffer): string => `fingerprint ${bytes.toString('hex', 2, 10)}`

test('are waited for, and stored when their schema is known in time', async () => {
  const partition = new PartitionDouble()
  const bytes = records.bytes({ eventId: '0' })
  partition.append(bytes)
  const sink = new SinkDouble()
  const decoder = laterDecoder(schemaIdOf(bytes))
  let retries = 0
  await run({ partition, sink, decoder, onRetry: () => { decoder.learnt = ++retries === 3 } })
  expect(retries).toBe(3)
  expect(sink.rows('user_tags').map((row) => row['event_id'])).toEqual(['0'])
  expect(sink.rows('dead_letters')).toEqual([])
})

test('are dead-lettered after the wait, which is announced before it is carried out', async () => {
  const partition = new PartitionDouble()
  partition.append(records.bytes({ eventId: '0' }))
  partition.append(foreign(1))
  const sink = new SinkDouble()
  let nowMs = 0
  await run({ partition, sink, monotonicMs: () => nowMs, onRetry: () => { nowMs += WAIT_MS / 2 } })
  expect(sink.rows('user_tags').map((row) => row['event_id'])).toEqual(['0'])
  expect(sink.rows('dead_letters')).toMatchObject([{ offset: 1, reason: 'unknown_schema' }])
  expect(partition.commits.map(({ metadata }) => metadata)).toEqual([
    '{"end":2,"windowMs":0,"erasedAsOfMs":0,"unknownSchemas":["fingerprint 0000000100000000"]}', ''
  ])
})

test('stay dead letters when a release that knows them redoes their batch', async () => {
  const partition = new PartitionDouble()
  const bytes = records.bytes({ eventId: '0' })
  partition.append(bytes)
  const sink = new SinkDouble()
  // The old release dies between the rows and the dead letters.
  const died = Promise.withResolvers<void>()
  sink.step = (name) => {
    if (name !== 'before insert dead_letters') return
    died.resolve()
    throw new Error('died')
  }
  const end = new AbortController()
  let nowMs = 0
  const old = run({
    partition,
    sink,
    decoder: laterDecoder(schemaIdOf(bytes)),
    monotonicMs: () => nowMs,
    onRetry: () => { nowMs += WAIT_MS },
    signal: end.signal
  })
  await died.promise
  end.abort()
  await old
  sink.step = () => {}
  await run({ partition, sink })
  expect(sink.rows('user_tags')).toEqual([])
  expect(sink.rows('dead_letters')).toMatchObject([{ offset: 0, reason: 'unknown_schema' }])
})

test('that an earlier owner could read are waited for, however long it takes', async () => {
  const partition = new PartitionDouble()
  const bytes = records.bytes({ eventId: '0' })
  partition.append(bytes)
  const sink = new SinkDouble()
  // A new release dies after it has stored the row.
  const died = Promise.withResolvers<void>()
  sink.step = (name) => {
    if (name !== 'before insert batches') return
    died.resolve()
    throw new Error('died')
  }
  const end = new AbortController()
  const newer = run({ partition, sink, signal: end.signal })
  await died.promise
  end.abort()
  await newer
  sink.step = () => {}
  // An old one takes the partition over, until a newer one has learnt the schema.
  const decoder = laterDecoder(schemaIdOf(bytes))
  let nowMs = 0
  let retries = 0
  await run({
    partition,
    sink,
    decoder,
    monotonicMs: () => nowMs,
    onRetry: () => { nowMs += WAIT_MS; decoder.learnt = ++retries === 5 }
  })
  expect(retries).toBe(5)
  expect(sink.rows('user_tags')).toHaveLength(1)
  expect(sink.rows('dead_letters')).toEqual([])
})

test('of more schemas than can be announced at once are taken in several batches, none left out', async () => {
  const partition = new PartitionDouble()
  for (let number = 1; number <= 2_000; number++) partition.append(foreign(number))
  const sink = new SinkDouble()
  let nowMs = 0
  await run({ partition, sink, monotonicMs: () => nowMs, onRetry: () => { nowMs += WAIT_MS } })
  expect(sink.rows('dead_letters').map((row) => row['offset'])).toEqual(Array.from({ length: 2_000 }, (_, index) => index))
  for (const { metadata } of partition.commits) expect(metadata.length).toBeLessThan(4096)
})
