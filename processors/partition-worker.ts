/**
 * The delivery protocol of one partition, from the moment it is given to this process until it is taken away.
 * What it guarantees: every record of the log is stored as a row or as a dead letter, or counted as dropped,
 * exactly once, whatever dies when.
 *
 * With c the committed offset: 1. read: the records `[c, m)` of one read are the batch; 2. commit c with
 * metadata "pending m", which also fixes what counts as erased: a fenced owner fails here and stops; 3. sort
 * the records, and insert rows, dead letters and the ledger's row under a token that names the batch; 4.
 * commit m. Whoever finds "pending m" redoes `[c, m)` under the same token, so what had landed is dropped and
 * what had not is completed. A batch that ClickHouse refuses has stored nothing: it is cut in half by going
 * back to step 2 with a smaller m, until the refused record stands alone and is dead-lettered.
 *
 * Decided elsewhere: who owns a partition and who is fenced (eventlog), what a token does (clickhouse).
 */
import pRetry from 'p-retry'
import { FencedError } from '../eventlog/index.ts'
import { KnownIds } from './known-ids.ts'
import { NOTHING_PENDING, formatPending, parsePending } from './pending.ts'
import { RefusedRowsError } from './sink.ts'
import { batchToken, deadLetterRow, ledgerRow, refusedContent } from './batch.ts'
import { identitiesToFind, readRecords, sortRecords } from './sort-records.ts'
import { UnknownSchemas, assertKnown, takeUnknown } from './unknown-schemas.ts'
import type { LogRecord, PartitionSession } from '../eventlog/index.ts'
import type { Decoded, Row } from '../contract/index.ts'
import type { Batch, BatchContent } from './batch.ts'
import type { KnownErasures, RecordErasures } from './record-erasures.ts'
import type { PendingBatch } from './pending.ts'
import type { WorkerOptions } from './worker-options.ts'

const RETRY_MS_MIN = 100

/** A worker and what it keeps from one batch to the next. */
interface Work extends WorkerOptions {
  knownIds: KnownIds
  unknownSchemas: UnknownSchemas
}

/** A batch that was announced, and what was said about it. */
interface Announced {
  batch: Batch
  pending: PendingBatch
  /** Known at the instant that `pending` names, or later. */
  erasures: KnownErasures
  decoded: ReadonlyArray<Decoded<Row>>
}

/**
 * Works on a partition until its session ends. Resolves when the partition was lost or the consumer stops;
 * rejects on a broken invariant, after which the partition may be taken up again from what is committed.
 */
export async function runPartitionWorker (options: WorkerOptions): Promise<void> {
  const { session, storedIds, duplicates, schemaWaitMs, monotonicMs } = options
  const { partition, signal } = session
  const knownIds = new KnownIds({ storedIds, partition, idsMax: duplicates.idsMax, signal })
  const unknownSchemas = new UnknownSchemas({ waitMs: schemaWaitMs, monotonicMs })
  try {
    const { offset, metadata } = session.committed
    let start = offset
    let pending = parsePending(metadata)
    while (!session.signal.aborted) {
      start = await deliverNext({ ...options, knownIds, unknownSchemas }, start, pending)
      pending = undefined
    }
  } catch (error) {
    // A fenced session has nothing left to do: the next owner redoes what is pending.
    if (error instanceof FencedError || session.signal.aborted) return
    throw error
  }
}

/** Delivers one batch from `start` on; the offset after it. */
async function deliverNext (
  work: Work, start: number, known: PendingBatch | undefined
): Promise<number> {
  const { session, observer, knownIds } = work
  const batch = known === undefined
    ? await readBatch(work, start)
    : await readPendingBatch(work, start, known.end)
  if (batch === undefined) return start
  const first = batch.records[0]?.offset ?? batch.end
  if (first > start) {
    observer.missing({ topic: session.topic, partition: session.partition, from: start, to: first })
  }
  const landed = await landShrinking(work, known === undefined
    ? await announce(work, batch)
    : await takeUp(work, batch, known))
  await commit(work, landed.batch.end)
  knownIds.remember(landed.content.storedIds)
  observer.stored(landed.batch, landed.content)
  return landed.batch.end
}

/** Step 2, with all that a redo has to decide in the same way. The batch may be cut. */
async function announce (work: Work, wanted: Batch): Promise<Announced> {
  const { duplicates, unknownSchemas } = work
  const decoded = await decode(work, wanted, [], (results) => unknownSchemas.waitFor(results))
  const { records, schemaIds } = takeUnknown(decoded)
  const batch = firstOf(wanted, records)
  // After the records were read: an erasure waits for whatever was in the log before it was known here.
  const erasures = await retry(work, () => erasuresKnownAt(work.erasures, 0))
  const pending: PendingBatch = {
    end: batch.end, windowMs: duplicates.windowMs, erasedAsOfMs: erasures.asOfMs, unknownSchemas: schemaIds
  }
  await commit(work, batch.start, pending)
  return { batch, pending, erasures, decoded }
}

/** The batch that an earlier owner announced: what it did not call unknown it could read. */
async function takeUp (work: Work, batch: Batch, pending: PendingBatch): Promise<Announced> {
  const decoded = await decode(work, batch, pending.unknownSchemas, (results) => {
    assertKnown(results, pending.unknownSchemas)
  })
  const erasures = await retry(work, () => erasuresKnownAt(work.erasures, pending.erasedAsOfMs))
  return { batch, pending, erasures, decoded }
}

/** Decodes again and again until `check` takes the results. */
async function decode (
  work: Work, batch: Batch, unknown: readonly string[], check: (decoded: ReadonlyArray<Decoded<Row>>) => void
): Promise<ReadonlyArray<Decoded<Row>>> {
  const values = batch.records.map((record) => record.value)
  return await retry(work, async () => {
    const decoded = await work.decoder.decode(values, unknown)
    check(decoded)
    return decoded
  })
}

/** Throws where the database's clock is behind an instant that it has told before: the caller tries again. */
async function erasuresKnownAt (erasures: RecordErasures, asOfMs: number): Promise<KnownErasures> {
  const known = await erasures.current()
  if (known.asOfMs >= asOfMs) return known
  throw new Error(`Erasures are known up to ${known.asOfMs}, and asked for up to ${asOfMs}`)
}

/** Step 1: what one read gives. */
async function readBatch (options: WorkerOptions, start: number): Promise<Batch | undefined> {
  const { rowsMax, bytesMax, ageMsMax } = options.limits
  const records = await read(options, start, { minBytes: bytesMax, maxRecords: rowsMax, maxWaitMs: ageMsMax })
  const last = records[records.length - 1]
  return last === undefined ? undefined : batchOf(options.session, start, last.offset + 1, records)
}

/** The batch `[start, end)` that an earlier owner began, however the limits have changed since. */
async function readPendingBatch (
  options: WorkerOptions, start: number, end: number
): Promise<Batch | undefined> {
  const records: LogRecord[] = []
  let next = start
  while (next < end) {
    if (options.session.signal.aborted) return undefined
    const found = await read(options, next, {
      minBytes: 1, maxRecords: options.limits.rowsMax, maxWaitMs: options.limits.ageMsMax
    })
    for (const record of found) {
      if (record.offset < end) records.push(record)
      next = record.offset + 1
    }
  }
  return batchOf(options.session, start, end, records)
}

async function read (
  options: WorkerOptions, offset: number, bounds: { minBytes: number, maxRecords: number, maxWaitMs: number }
): Promise<LogRecord[]> {
  const { session, limits } = options
  return retry(options, () => session.read({ offset, maxBytes: limits.bytesMax, ...bounds }))
}

/** Step 3, with a smaller batch each time that storage refuses one; what landed in the end. */
async function landShrinking (
  work: Work, announced: Announced
): Promise<{ batch: Batch, content: BatchContent }> {
  let { batch, pending } = announced
  const { erasures, decoded } = announced
  while (true) {
    const content = pending.refusal === undefined
      ? await sortBatch(work, { batch, pending, erasures, decoded })
      : refusedContent(batch, pending.refusal)
    const refused = await insertRows(work, batch, content)
    if (refused === undefined) {
      await insertBooks(work, batch, content)
      return { batch, content }
    }
    if (batch.records.length === 1) pending = { ...pending, refusal: refused.message }
    else batch = firstOf(batch, Math.ceil(batch.records.length / 2))
    pending = { ...pending, end: batch.end }
    await commit(work, batch.start, pending)
  }
}

async function sortBatch (work: Work, announced: Announced): Promise<BatchContent> {
  const { batch, pending, erasures, decoded } = announced
  const { stream, knownIds } = work
  const { windowMs } = pending
  const read = readRecords(stream, batch, decoded)
  const toFind = windowMs > 0 ? identitiesToFind(read) : []
  const storedAt = await retry(work, () => knownIds.find(toFind, { below: batch.start, windowMs }))
  const isErased = (timestampMs: number, key: () => Buffer): boolean => {
    return erasures.isErased({ stream: stream.name, timestampMs, key }, pending.erasedAsOfMs)
  }
  return sortRecords(stream, batch, read, { storedAt, windowMs, isErased })
}

/** Inserts the rows of a batch; the error where storage refuses one of them, and then none is stored. */
async function insertRows (
  options: WorkerOptions, batch: Batch, { rows }: BatchContent
): Promise<RefusedRowsError | undefined> {
  try {
    await insert(options, batch, options.tables.rows, rows)
  } catch (error) {
    if (error instanceof RefusedRowsError) return error
    throw error
  }
}

/** The dead letters, and last the ledger's row, which says that the batch is whole. */
async function insertBooks (options: WorkerOptions, batch: Batch, content: BatchContent): Promise<void> {
  const { stream, tables: { books } } = options
  if (books === undefined) return
  const deadLetters = content.deadLetters.map((letter) => deadLetterRow(stream, batch, letter))
  await insert(options, batch, books.deadLetters, deadLetters)
  const ledger = batch.records.length === 0 ? [] : [ledgerRow(stream, batch, content)]
  await insert(options, batch, books.batches, ledger)
}

async function insert (
  options: WorkerOptions, batch: Batch, table: string, rows: readonly Row[]
): Promise<void> {
  if (rows.length === 0) return
  const request = { table, rows, token: batchToken(batch), signal: options.session.signal }
  await retry(options, () => options.sink.insert(request))
}

/** Steps 2 and 4. A commit whose outcome is unknown is repeated: it says the same again. */
async function commit (options: WorkerOptions, offset: number, pending?: PendingBatch): Promise<void> {
  const metadata = pending === undefined ? NOTHING_PENDING : formatPending(pending)
  await retry(options, () => options.session.commit({ offset, metadata }))
}

/** Repeats a call until it succeeds, for ever, unless its error says that this is pointless. */
async function retry<T> (options: WorkerOptions, call: () => Promise<T>): Promise<T> {
  const { session, retryMsMax, observer } = options
  const { topic, partition, signal } = session
  return pRetry(call, {
    retries: Infinity,
    minTimeout: Math.min(RETRY_MS_MIN, retryMsMax),
    maxTimeout: retryMsMax,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => !(error instanceof FencedError || error instanceof RefusedRowsError),
    onFailedAttempt: ({ error, attemptNumber }) => {
      if (error instanceof FencedError || error instanceof RefusedRowsError) return
      observer.retrying({ topic, partition, error, attempt: attemptNumber })
    }
  })
}

function firstOf (batch: Batch, count: number): Batch {
  const records = batch.records.slice(0, count)
  return { ...batch, records, end: (records[count - 1] as LogRecord).offset + 1 }
}

function batchOf (
  { topic, partition }: PartitionSession, start: number, end: number, records: readonly LogRecord[]
): Batch {
  return { topic, partition, start, end, records }
}
