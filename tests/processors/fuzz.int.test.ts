/**
 * Anything in the topics, past ingest, on a real log and a real ClickHouse: the processors stay up, and each
 * record is a row, a dead letter with its reason, or a duplicate that the ledger counts.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createEncoder, interactions, streams, userTags } from '../../contract/index.ts'
import { openEventLog } from '../../eventlog/index.ts'
import { createClickHouseSink, createClickHouseStoredIds, startProcessor } from '../../processors/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { describeOnEachLog } from '../support/each-log.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { until } from '../support/until.ts'
import { createUserTagRecords } from './user-tag-records.ts'
import type { InteractionRecord } from '../../contract/index.ts'
import type { EventLog } from '../../eventlog/index.ts'
import type { Processor } from '../../processors/index.ts'
import type { TestClickHouse, TestDatabase } from '../support/clickhouse.ts'
import type { UserTagRecords } from './user-tag-records.ts'

const ROUNDS = 40
const APPEND_BYTES_MAX = 800_000
const OVERSIZED_BYTES = 700_000
const REFUSED_PRICE = 13
const ERASED = 'an erased one'
const DELIVERED_MS_MAX = 120_000

/** A record and what must become of it; undefined where chance decides what it still says. */
interface Case {
  value: Buffer
  topic?: string
  expected?: string | undefined
}

let clickHouse: TestClickHouse
let records: UserTagRecords
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  records = await createUserTagRecords()
})
afterAll(() => clickHouse.close())

async function casesOf (random: SeededRandom): Promise<Case[]> {
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)))
  const good = (eventId: string): Buffer => records.bytes({ eventId, cookie: `cookie ${random.below(9)}` })
  const interaction = await interactionBytes()
  const cases: Case[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const whole = good(`g${round}`)
    const changed = Buffer.from(whole)
    changed[10 + random.below(whole.length - 10)] = random.below(256)
    const foreign = Buffer.concat([Buffer.from([0xc3, 0x01]), bytes(8), whole.subarray(10)])
    const name = `again ${round % 20}`
    const again = records.bytes({ eventId: name, eventIdOrigin: 'HEADER', cookie: name })
    cases.push(
      { value: whole, expected: 'row' },
      { value: again, expected: round < 20 ? 'row' : 'dropped' },
      { value: records.bytes({ eventId: `x${round}`, cookie: ERASED }), expected: 'dropped' },
      { value: Buffer.concat([Buffer.from([0x7f]), bytes(random.below(300))]), expected: 'bad_framing' },
      { value: bytes(random.below(300)) },
      { value: whole.subarray(0, 10 + random.below(whole.length - 10)), expected: 'bad_bytes' },
      { value: Buffer.concat([whole, bytes(1 + random.below(9))]), expected: 'bad_bytes' },
      { value: changed },
      { value: foreign, expected: 'unknown_schema' },
      { value: Buffer.concat([Buffer.from([0, 0, 0, 1, round]), whole.subarray(10)]), expected: 'unknown_schema' },
      { value: Buffer.concat([Buffer.from([0xc3, 0x02]), bytes(20)]), expected: 'bad_framing' },
      { value: Buffer.alloc(0), expected: 'bad_framing' },
      { value: records.bytes({ eventId: `t${round}`, time: -round - 1 }), expected: 'invalid_record' },
      { value: records.bytes({ eventId: `n${round}`, cookie: 'nul \0' }), expected: 'invalid_record' },
      { value: records.bytes({ eventId: `e${round}`, cookie: '' }), expected: 'invalid_record' },
      { value: interaction({}), topic: interactions.topic, expected: 'row' },
      { value: interaction({ elapsed_time: Infinity }), topic: interactions.topic, expected: 'invalid_record' },
      { value: interaction({ elapsed_time: -1 }), topic: interactions.topic, expected: 'invalid_record' },
      { value: interaction({ to_url: null }), topic: interactions.topic, expected: 'invalid_record' },
      { value: interaction({ browser: 'b' }), topic: interactions.topic, expected: 'invalid_record' }
    )
    if (round % 20 === 0) {
      cases.push(
        { value: records.bytes({ eventId: `r${round}`, price: REFUSED_PRICE }), expected: 'refused_by_storage' },
        { value: records.bytes({ eventId: `o${round}`, cookie: 'c'.repeat(OVERSIZED_BYTES) }), expected: 'invalid_record' },
        { value: Buffer.concat([Buffer.from([0xc3, 0x01]), bytes(OVERSIZED_BYTES)]), expected: 'unknown_schema' }
      )
    }
  }
  return cases
}

/** Cases in their order, as parts that one append can carry. */
function parts (cases: readonly Case[]): Case[][] {
  const found: Case[][] = []
  let bytes = 0
  for (const each of cases) {
    bytes += each.value.length
    const part = found.at(-1)
    if (part === undefined || part[0]?.topic !== each.topic || bytes > APPEND_BYTES_MAX) {
      found.push([each])
      bytes = each.value.length
    } else part.push(each)
  }
  return found
}

/** Makes valid Avro of an interaction, whatever is changed in it. */
async function interactionBytes (): Promise<(changed: Partial<InteractionRecord>) => Buffer> {
  const encoder = await createEncoder(interactions)
  const event = {
    type: 'url_change' as const,
    app: 'a',
    device_id: 'd',
    timestamp: '2026-01-01T00:00:00Z',
    elapsed_time: 1,
    from_url: '/a',
    to_url: '/b'
  }
  const record = interactions.toRecord(event, { tenant: 'default', eventId: 'i', eventIdOrigin: 'SERVER' })
  return (changed) => encoder.encode({ ...record, ...changed })
}

type Labels = Record<string, string>

/** Sums of counters, by name and labels. */
async function countedOf (registry: Registry): Promise<(name: string, labels?: Labels) => number> {
  const metrics = await registry.getMetricsAsJSON()
  return (name, labels = {}) => {
    const values = metrics.find((metric) => metric.name === name)?.values ?? []
    const own = values.filter((value) => {
      const has = value.labels as Labels
      return Object.entries(labels).every(([label, text]) => has[label] === text)
    })
    return own.reduce((sum, { value }) => sum + value, 0)
  }
}

describeOnEachLog('whatever stands in the topics', (kind) => {
  const random = SeededRandom.fromEnv(`whatever stands in the topics, ${kind}`)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'))
  const group = randomUUID()
  const faults: object[] = []
  const registry = new Registry()
  /** A broker that has just started asks for patience; anything else is a processor that fell over. */
  const noteFault = (fields: { err?: { retryable?: boolean } }): void => {
    if (fields.err?.retryable !== true) faults.push(fields)
  }
  let database: TestDatabase
  let eventLog: EventLog
  let processor: Processor

  beforeAll(async () => {
    database = await clickHouse.freshDatabase()
    const client = database.writeClient
    await client.command({ query: `ALTER TABLE user_tags ADD CONSTRAINT fair CHECK price != ${REFUSED_PRICE}` })
    eventLog = openEventLog({
      directory,
      bytesMax: 1024 ** 3,
      kafka: kind === 'embedded'
        ? undefined
        : {
            brokers: inject('kafkaBrokers').split(','),
            ssl: false,
            sasl: undefined,
            compression: 'none',
            topicPrefix: `${randomUUID()}.`
          },
      topic: { partitions: 2, replicationFactor: undefined, retentionMs: 3_600_000 },
      sessionTimeoutMs: undefined,
      schemaRegistryUrl: undefined
    }, { debug: () => {}, warn: () => {} })
    await eventLog.createTopics(streams.map(({ topic }) => ({ name: topic, partitions: 2 })))
    processor = await startProcessor({
      eventLog,
      streams,
      sink: createClickHouseSink(client, 2),
      erasures: { current: async () => ({ asOfMs: 0, isErased: ({ key }) => key().includes(ERASED) }) },
      storedIdsOf: ({ tables, subject }) => createClickHouseStoredIds({ client, table: tables.raw, subject }),
      config: {
        group,
        batch: { rowsMax: 100, bytesMax: 1_000_000, ageMsMax: 50 },
        duplicates: { windowMs: 600_000, idsMax: 1_000 },
        insertsMax: 2,
        retryMsMax: 100,
        schemaWaitMs: 0,
        stallMsMax: 60_000
      },
      metrics: registry,
      log: { debug: () => {}, info: () => {}, warn: () => {}, error: noteFault },
      now: Date.now
    })
  })
  afterAll(async () => {
    await processor?.stop()
    await eventLog?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  async function rowsOf<Row> (query: string): Promise<Row[]> {
    const answer = await database.writeClient.query({
      query, format: 'JSONEachRow', clickhouse_settings: { output_format_json_quote_64bit_integers: 0 }
    })
    return await answer.json<Row>()
  }

  test('is accounted for, record by record', async () => {
    const cases = await casesOf(random)
    const placed: Array<Case & { at: string }> = []
    for (const part of parts(cases)) {
      const topic = part[0]?.topic ?? userTags.topic
      const locations = await eventLog.append(topic, part.map(({ value }) => {
        // One key for what is sent again: copies share a partition.
        const key = Buffer.from(value.includes('again ') ? 'again' : String(random.below(9)))
        return { key, value, timestampMs: Date.now() }
      }))
      part.forEach((each, index) => {
        placed.push({ ...each, at: `${topic} ${locations[index]?.partition} ${locations[index]?.offset}` })
      })
    }
    await until('everything is delivered', DELIVERED_MS_MAX, async () => {
      for (const topic of [userTags.topic, interactions.topic]) {
        const committed = await eventLog.committedOffsets(group, topic)
        const ends = (await eventLog.offsets(topic)).filter(({ begin, end }) => end > begin)
        const done = ends.every(({ partition, end }) => {
          return committed.some((commit) => commit.partition === partition && commit.offset === end)
        })
        if (!done) return undefined
      }
      return true
    })
    const outcome = new Map<string, string>()
    const stored = (await Promise.all([userTags, interactions].map(({ topic, tables }) => {
      return rowsOf<{ at: string }>(
        `SELECT concat('${topic} ', toString(_partition), ' ', toString(_offset)) AS at FROM ${tables.raw}`)
    }))).flat()
    const dead = await rowsOf<{ at: string, reason: string }>(
      'SELECT concat(topic, \' \', toString(partition), \' \', toString(offset)) AS at, reason FROM dead_letters')
    for (const { at, reason } of [...stored.map(({ at }) => ({ at, reason: 'row' })), ...dead]) {
      expect(outcome.has(at)).toBe(false)
      outcome.set(at, reason)
    }
    for (const { at, expected } of placed) {
      if (expected !== undefined) expect([at, outcome.get(at) ?? 'dropped']).toEqual([at, expected])
    }
    const [books] = await rowsOf<object>(`
      SELECT sum(stored) AS stored, sum(dead_lettered) AS dead, sum(duplicates) AS duplicates,
        sum(erased) AS erased, sum(last_offset + 1 - first_offset) AS records FROM batches`)
    expect(books).toEqual({
      stored: stored.length,
      dead: dead.length,
      duplicates: placed.length - outcome.size - ROUNDS,
      erased: ROUNDS,
      records: placed.length
    })
    const counted = await countedOf(registry)
    expect([counted('millrace_events_stored_total'), counted('millrace_events_dead_lettered_total')])
      .toEqual([stored.length, dead.length])
    expect([counted('millrace_events_erased_total'), counted('millrace_events_duplicate_total')])
      .toEqual([ROUNDS, placed.length - outcome.size - ROUNDS])
    // The memory of a partition is filled once; nothing had to be forgotten, or be looked up.
    expect(counted('millrace_duplicate_reads_total')).toBe(counted('millrace_duplicate_reads_total', { kind: 'recover' }))
    expect(counted('millrace_duplicate_reads_total', { stream: 'user_tags' })).toBeGreaterThanOrEqual(1)
    expect(faults).toEqual([])
    await processor.checkReady()
  })

  test('is kept byte for byte where it is no row', async () => {
    const broken = Buffer.from([0x7f, 0, 255, 254, 10, 13, 92, 39])
    const record = { key: broken, value: broken, timestampMs: Date.now() }
    const [location] = await eventLog.append(userTags.topic, [record])
    const letter = await until('it is a dead letter', DELIVERED_MS_MAX, async () => {
      const [found] = await rowsOf<object>(`
        SELECT hex(key) AS key, hex(value) AS value FROM dead_letters
        WHERE topic = 'user_tags' AND partition = ${location?.partition} AND offset = ${location?.offset}`)
      return found
    })
    const hex = broken.toString('hex').toUpperCase()
    expect(letter).toEqual({ key: hex, value: hex })
  })
})
