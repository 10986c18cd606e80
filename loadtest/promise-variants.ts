/**
 * What the promises of delivery cost: one partition of the embedded log, read by the processors' own worker,
 * with one promise taken away at a time. Rows are made and serialised as for ClickHouse, and then dropped, so
 * that its speed does not hide the differences.
 */
import { createDecoder, createEncoder, recordKey, userTags } from '../contract/index.ts'
import { SubjectHasher, TombstoneLease, recordErasures } from '../erasure/index.ts'
import { runPartitionWorker } from '../processors/index.ts'
import type { Envelope, Row, Stream } from '../contract/index.ts'
import type { EventLog, PartitionSession } from '../eventlog/index.ts'
import type { RecordErasures, StoredIds } from '../processors/index.ts'
import type { Tombstone } from '../erasure/index.ts'

const APPEND_RECORDS = 1_000
export const BATCH_RECORDS = 1_000
const WINDOW_MS = 600_000
const SUBJECTS = 10_000
export const TOMBSTONES = 10_000
const TENANT = 'default'
const DAY_MS = 86_400_000

export interface Variant {
  name: string
  ids: Envelope['eventIdOrigin']
  windowMs: number
  announces: boolean
  /**
   * The tombstones in memory. Older ones are from before every record, as in live traffic; newer ones from
   * after, as in a replay and a backlog, where the subject of each record is hashed and looked for.
   */
  tombstones: 'none' | 'older' | 'newer'
}

const EVERY_PROMISE: Variant = {
  name: 'every promise, ids of the server',
  ids: 'SERVER',
  windowMs: WINDOW_MS,
  announces: true,
  tombstones: 'older'
}

export const VARIANTS: readonly Variant[] = [
  EVERY_PROMISE,
  { ...EVERY_PROMISE, name: 'every promise, ids of clients in every record', ids: 'BODY' },
  { ...EVERY_PROMISE, name: 'ids of clients, duplicates not looked for', ids: 'BODY', windowMs: 0 },
  { ...EVERY_PROMISE, name: 'ids of the server, batches not announced', announces: false },
  { ...EVERY_PROMISE, name: 'ids of the server, no tombstones', tombstones: 'none' },
  { ...EVERY_PROMISE, name: 'ids of the server, tombstones newer than the records', tombstones: 'newer' }
]

export interface Run {
  recordsPerSecond: number
  /** User and system time of the process, its log included, for a million records. */
  cpuSecondsPerMillion: number
  /** Records that the tombstones kept out. */
  erased: number
}

const NOTHING_STORED: StoredIds = { newest: async function * () { yield [] }, find: async () => [] }

export async function fillTopic (
  eventLog: EventLog, ids: Envelope['eventIdOrigin'], records: number
): Promise<void> {
  await eventLog.createTopics([{ name: ids, partitions: 1 }])
  const encoder = await createEncoder(userTags)
  const firstMs = Date.now()
  for (let first = 0; first < records; first += APPEND_RECORDS) {
    const count = Math.min(APPEND_RECORDS, records - first)
    await eventLog.append(ids, Array.from({ length: count }, (_unused, index) => {
      const number = first + index
      const cookie = subjectOf(number)
      const event = {
        time: '2022-03-22T12:15:00.000Z',
        cookie,
        country: 'CL',
        device: 'PC' as const,
        action: 'VIEW' as const,
        origin: `CAMPAIGN_${number % 1_000}`,
        product_info: { product_id: number, brand_id: `brand ${number % 250}`, category_id: 'shoes', price: 100 }
      }
      const eventId = `018f7f2e-${String(number).padStart(12, '0')}-8000-000000000000`
      const value = encoder.encode(userTags.toRecord(event, { tenant: TENANT, eventId, eventIdOrigin: ids }))
      return { key: recordKey(TENANT, cookie), value, timestampMs: firstMs + Math.floor(number / 1_000) }
    }))
  }
}

/** One tombstone names the first subject; where it is newer, that subject's records are not stored. */
export function expectedErased ({ tombstones }: Pick<Variant, 'tombstones'>, records: number): number {
  return tombstones === 'newer' ? Math.ceil(records / SUBJECTS) : 0
}

/** Delivers the records of the variant's topic, for a consumer group that has read none of them. */
export async function runVariant (
  eventLog: EventLog, variant: Variant, { group, records }: { group: string, records: number }
): Promise<Run> {
  const done = Promise.withResolvers<Run>()
  const erasures = erasuresOf(variant)
  // What is known of the tombstones is in memory before the clock runs.
  await erasures.current()
  const consumer = await eventLog.consume({
    group,
    topics: [variant.ids],
    onPartition: async (session) => {
      const cpu = process.cpuUsage()
      const startMs = performance.now()
      await deliver({ session, variant, erasures, records }, (erased) => {
        const { user, system } = process.cpuUsage(cpu)
        const seconds = (performance.now() - startMs) / 1_000
        done.resolve({
          recordsPerSecond: Math.round(records / seconds),
          cpuSecondsPerMillion: Number(((user + system) / records).toFixed(2)),
          erased
        })
      })
    },
    onError: (error) => done.reject(error)
  })
  const result = await done.promise
  await consumer.stop()
  return result
}

interface Delivery {
  session: PartitionSession
  variant: Variant
  erasures: RecordErasures
  records: number
}

async function deliver (
  { session, variant, erasures, records }: Delivery, onDone: (erased: number) => void
): Promise<void> {
  let serialised = 0
  let erased = 0
  const { topic, partition, committed, signal } = session
  await runPartitionWorker({
    session: {
      topic,
      partition,
      committed,
      signal,
      read: (options) => session.read(options),
      commit: async (to) => {
        if (variant.announces || to.metadata === '') await session.commit(to)
      }
    },
    stream: userTags as unknown as Stream,
    decoder: createDecoder<Row, Row>(userTags as unknown as Stream),
    sink: {
      insert: async ({ rows }) => { for (const row of rows) serialised += JSON.stringify(row).length }
    },
    tables: { rows: userTags.tables.raw, books: { deadLetters: 'dead_letters', batches: 'batches' } },
    storedIds: NOTHING_STORED,
    erasures,
    limits: { rowsMax: BATCH_RECORDS, bytesMax: 8 * 1024 * 1024, ageMsMax: 1 },
    duplicates: { windowMs: variant.windowMs, idsMax: 2 * records },
    retryMsMax: 1_000,
    schemaWaitMs: 0,
    monotonicMs: () => performance.now(),
    observer: {
      stored: ({ end }, content) => {
        erased += content.dropped.erased
        if (end === records) onDone(erased)
      },
      retrying: ({ error }) => { throw error },
      missing: () => { throw new Error('the log lost records') }
    }
  })
  if (serialised === 0) throw new Error('nothing was delivered')
}

/** The processors' own filter, over tombstones of which one names a subject of the records. */
function erasuresOf ({ tombstones }: Pick<Variant, 'tombstones'>): RecordErasures {
  const hasher = new SubjectHasher('the key of a measurement, which hides nobody')
  const nowMs = Date.now()
  const cutoffMs = tombstones === 'newer' ? nowMs + DAY_MS : nowMs - DAY_MS
  const known = Array.from({ length: tombstones === 'none' ? 0 : TOMBSTONES }, (_unused, index): Tombstone => ({
    id: String(index),
    tenant: TENANT,
    subjectHash: hasher.hash(recordKey(TENANT, index === 0 ? subjectOf(0) : `erased-${index}`)),
    keyId: hasher.keyId,
    streams: [userTags.name],
    cutoffMs,
    insertedAtMs: nowMs - DAY_MS,
    state: 'removed',
    batch: 1
  }))
  // As the table answers: all of them at first, and later what is new.
  const read = async (sinceMs: number) => ({ nowMs: Date.now(), changed: sinceMs < 0 ? known : [] })
  return recordErasures(new TombstoneLease({ read }), hasher)
}

function subjectOf (record: number): string {
  return `cookie-${record % SUBJECTS}`
}
