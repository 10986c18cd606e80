/**
 * What the promises of delivery cost: one partition of the embedded log, read by the processors' own worker,
 * with one promise taken away at a time. Rows are made and serialised as for ClickHouse, and then dropped, so
 * that its speed does not hide the differences. Writes loadtest/results/promises.json.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDecoder, createEncoder, userTags } from '../contract/index.ts'
import { openEmbeddedLog } from '../eventlog/index.ts'
import { NOTHING_ERASED, runPartitionWorker } from '../processors/index.ts'
import { describeMachine, describeRevision } from './machine.ts'
import { median } from './percentiles.ts'
import type { Envelope, Row, Stream } from '../contract/index.ts'
import type { EventLog, PartitionSession } from '../eventlog/index.ts'
import type { StoredIds } from '../processors/index.ts'

const RECORDS = 50_000
const APPEND_RECORDS = 1_000
const BATCH_RECORDS = 1_000
const ROUNDS = 3
const WINDOW_MS = 600_000
const RESULT = new URL('results/promises.json', import.meta.url)

interface Variant {
  name: string
  ids: Envelope['eventIdOrigin']
  windowMs: number
  announces: boolean
}

const VARIANTS: readonly Variant[] = [
  { name: 'every promise, ids of the server', ids: 'SERVER', windowMs: WINDOW_MS, announces: true },
  { name: 'every promise, ids of clients', ids: 'BODY', windowMs: WINDOW_MS, announces: true },
  { name: 'ids of clients, duplicates not looked for', ids: 'BODY', windowMs: 0, announces: true },
  { name: 'ids of the server, batches not announced', ids: 'SERVER', windowMs: WINDOW_MS, announces: false }
]

const NOTHING_STORED: StoredIds = { newest: async function * () { yield [] }, find: async () => [] }

interface Run {
  recordsPerSecond: number
  /** User and system time of the process, its log included, for a million records. */
  cpuSecondsPerMillion: number
}

async function fill (eventLog: EventLog, ids: Envelope['eventIdOrigin']): Promise<void> {
  const encoder = await createEncoder(userTags)
  const firstMs = Date.now()
  for (let first = 0; first < RECORDS; first += APPEND_RECORDS) {
    await eventLog.append(ids, Array.from({ length: APPEND_RECORDS }, (_unused, index) => {
      const number = first + index
      const cookie = `cookie-${number % 10_000}`
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
      const value = encoder.encode(userTags.toRecord(event, { tenant: 'default', eventId, eventIdOrigin: ids }))
      return { key: Buffer.from(cookie), value, timestampMs: firstMs + number }
    }))
  }
}

async function run (eventLog: EventLog, variant: Variant, group: string): Promise<Run> {
  const done = Promise.withResolvers<Run>()
  const consumer = await eventLog.consume({
    group,
    topics: [variant.ids],
    onPartition: async (session) => {
      const cpu = process.cpuUsage()
      const startMs = performance.now()
      await work(session, variant, () => {
        const { user, system } = process.cpuUsage(cpu)
        const seconds = (performance.now() - startMs) / 1_000
        done.resolve({
          recordsPerSecond: Math.round(RECORDS / seconds),
          cpuSecondsPerMillion: Number(((user + system) / RECORDS).toFixed(2))
        })
      })
    },
    onError: (error) => done.reject(error)
  })
  const result = await done.promise
  await consumer.stop()
  return result
}

async function work (session: PartitionSession, variant: Variant, onDone: () => void): Promise<void> {
  let serialised = 0
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
    erasures: NOTHING_ERASED,
    limits: { rowsMax: BATCH_RECORDS, bytesMax: 8 * 1024 * 1024, ageMsMax: 1 },
    duplicates: { windowMs: variant.windowMs, idsMax: 2 * RECORDS },
    retryMsMax: 1_000,
    schemaWaitMs: 0,
    monotonicMs: () => performance.now(),
    observer: {
      stored: ({ end }) => { if (end === RECORDS) onDone() },
      retrying: ({ error }) => { throw error },
      missing: () => { throw new Error('the log lost records') }
    }
  })
  if (serialised === 0) throw new Error('nothing was delivered')
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-promises-'))
const eventLog = openEmbeddedLog({ directory })
try {
  for (const ids of ['SERVER', 'BODY'] as const) {
    await eventLog.createTopics([{ name: ids, partitions: 1 }])
    await fill(eventLog, ids)
  }
  const runs = new Map(VARIANTS.map(({ name }) => [name, [] as Run[]]))
  // In turns, so that whatever else the machine does meets all of them; the first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const variant of VARIANTS) {
      const result = await run(eventLog, variant, `${variant.name} ${round}`)
      if (round > 0) runs.get(variant.name)?.push(result)
    }
  }
  const results = [...runs].map(([variant, each]) => ({
    variant,
    recordsPerSecond: median(each.map(({ recordsPerSecond }) => recordsPerSecond)),
    cpuSecondsPerMillion: median(each.map(({ cpuSecondsPerMillion }) => cpuSecondsPerMillion)),
    runs: each
  }))
  mkdirSync(new URL('.', RESULT), { recursive: true })
  writeFileSync(RESULT, `${JSON.stringify({
    records: RECORDS,
    recordsPerBatch: BATCH_RECORDS,
    rounds: ROUNDS,
    machine: describeMachine(directory),
    revision: describeRevision(),
    results
  }, undefined, 2)}\n`)
  for (const { variant, recordsPerSecond, cpuSecondsPerMillion } of results) {
    console.log(`${variant.padEnd(44)} ${recordsPerSecond} records/s, ${cpuSecondsPerMillion} CPU s for a million`)
  }
} finally {
  await eventLog.close()
  rmSync(directory, { recursive: true, force: true })
}
