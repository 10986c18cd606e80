import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { createEncoder, recordKey, streams, userTags, visits } from '../../contract/index.ts'
import { openEmbeddedLog } from '../../eventlog/index.ts'
import {
  NOTHING_ERASED, createClickHouseSink, createClickHouseStoredIds, startProcessor
} from '../../processors/index.ts'
import { ALL_ARRIVALS, ReplayStore, rebuild, replayInto } from '../../replay/index.ts'
import { Bench, TENANT } from '../erasure/job-bench.ts'
import { createUserTagRecords } from '../processors/user-tag-records.ts'
import { until } from '../support/until.ts'
import type { Stream } from '../../contract/index.ts'
import type { EventLog } from '../../eventlog/index.ts'
import type { InsertRequest, Processor, ProcessorConfig, Sink } from '../../processors/index.ts'
import type { IntoReport, RebuildOptions, ReplayIntoOptions, ReplayReport } from '../../replay/index.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const STORED_MS_MAX = 120_000
const CONFIG: ProcessorConfig = {
  group: 'processors',
  batch: { rowsMax: 20, bytesMax: 1_000_000, ageMsMax: 20 },
  duplicates: { windowMs: 0, idsMax: 1_000 },
  insertsMax: 2,
  retryMsMax: 50,
  schemaWaitMs: 0,
  stallMsMax: 60_000
}
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The processors' sink, which remembers every insert, and does what a test wants before and after each. */
class WatchedSink implements Sink {
  readonly requests: InsertRequest[] = []
  readonly #sink: Sink
  before: (request: InsertRequest) => Promise<void> = async () => {}
  after: (request: InsertRequest) => Promise<void> = async () => {}

  constructor (sink: Sink) {
    this.#sink = sink
  }

  async insert (request: InsertRequest): Promise<void> {
    this.requests.push(request)
    await this.before(request)
    await this.#sink.insert(request)
    await this.after(request)
  }

  /** Does once more what has been done, as zombies would that stood still before each of their inserts. */
  async insertAgain (): Promise<void> {
    const signal = AbortSignal.timeout(STORED_MS_MAX)
    for (const request of this.requests) await this.#sink.insert({ ...request, signal })
  }
}

/** A replay's store that stops where a test wants something to happen. */
class WatchedStore extends ReplayStore {
  hasSwapped = false
  beforeSwap: () => Promise<void> = async () => {}
  afterSwap: () => Promise<void> = async () => {}
  beforeCount: () => Promise<void> = async () => {}
  beforeView: () => Promise<void> = async () => {}
  beforeRemoval: () => Promise<void> = async () => {}

  override async run (statements: readonly string[]): Promise<void> {
    const swaps = statements.some((statement) => statement.startsWith('EXCHANGE TABLES'))
    if (statements.some((statement) => statement.includes('__replay_live_view TO'))) await this.beforeView()
    if (swaps) await this.beforeSwap()
    await super.run(statements)
    if (!swaps) return
    this.hasSwapped = true
    await this.afterSwap()
  }

  override async removeErased (...args: Parameters<ReplayStore['removeErased']>): Promise<void> {
    await this.beforeRemoval()
    await super.removeErased(...args)
  }

  override async countsOf (...args: Parameters<ReplayStore['countsOf']>): Promise<[number, number]> {
    await this.beforeCount()
    return await super.countsOf(...args)
  }
}

/** What a test appends: the bytes of an event of a stream about a subject. */
interface Feed {
  stream: Stream
  bytes: (eventId: string, subject: string) => Buffer
}

const streamOf = (name: string): Stream => streams.find((one) => one.name === name) as Stream

async function userTagFeed (): Promise<Feed> {
  const records = await createUserTagRecords()
  return {
    stream: streamOf(userTags.name),
    bytes: (eventId, cookie) => records.bytes({ eventId, cookie, tenant: TENANT })
  }
}

/** Visits of now, to a page of two. */
export async function visitFeed (): Promise<Feed> {
  const encoder = await createEncoder(visits)
  return {
    stream: streamOf(visits.name),
    bytes: (eventId, identifier) => encoder.encode(visits.toRecord({
      visitedAt: new Date().toISOString(), identifier, pageUrl: `https://shop.example/${identifier.length % 2}`
    }, { tenant: TENANT, eventId, eventIdOrigin: 'SERVER' }))
  }
}

/** Events of a stream in an embedded log, a processor that stores them, erasures, and replays of the log. */
export class ReplayBench {
  readonly erasure: Bench
  readonly sink: WatchedSink
  store: WatchedStore
  /** Looks at what is committed. */
  looks = 0
  readonly #directory: string
  readonly #eventLog: EventLog
  readonly #feed: Feed
  readonly #processor: Processor
  #sent = 0

  static async open (clickHouse: TestClickHouse, ofFeed = userTagFeed): Promise<ReplayBench> {
    const feed = await ofFeed()
    const erasure = await Bench.open(clickHouse)
    const { writeClient: client } = erasure.database
    const directory = mkdtempSync(join(tmpdir(), 'millrace-replay-'))
    const eventLog = openEmbeddedLog({ directory, heartbeatMs: 50 })
    await eventLog.createTopics([{ name: feed.stream.topic, partitions: 2 }])
    const sink = new WatchedSink(createClickHouseSink(client, CONFIG.insertsMax))
    const processor = await startProcessor({
      eventLog,
      streams: [feed.stream],
      sink,
      erasures: NOTHING_ERASED,
      storedIdsOf: ({ tables, subject }) => createClickHouseStoredIds({ client, table: tables.raw, subject }),
      config: CONFIG,
      metrics: new Registry(),
      log: SILENT,
      now: Date.now
    })
    return new ReplayBench({ erasure, directory, eventLog, sink, processor, feed })
  }

  private constructor ({ erasure, directory, eventLog, sink, processor, feed }: {
    erasure: Bench
    directory: string
    eventLog: EventLog
    sink: WatchedSink
    processor: Processor
    feed: Feed
  }) {
    this.erasure = erasure
    this.sink = sink
    this.store = this.newStore()
    this.#directory = directory
    this.#eventLog = eventLog
    this.#processor = processor
    this.#feed = feed
  }

  /** A store as each run of the command has its own. */
  newStore (): WatchedStore {
    const { writeClient: client, config: { database } } = this.erasure.database
    this.store = new WatchedStore({ client, database })
    return this.store
  }

  async append (subject: string, count = 1): Promise<void> {
    await this.#eventLog.append(this.#feed.stream.topic, Array.from({ length: count }, () => ({
      key: recordKey(TENANT, subject),
      value: this.#feed.bytes(`e${this.#sent++}`, subject),
      timestampMs: Date.now()
    })))
  }

  /** Resolves when everything in the log is stored and committed. */
  async isStored (): Promise<void> {
    await until('everything is stored', STORED_MS_MAX, async () => {
      const [offsets, commits] = await Promise.all([
        this.#eventLog.offsets(this.#feed.stream.topic),
        this.#eventLog.committedOffsets(CONFIG.group, this.#feed.stream.topic)
      ])
      const committed = new Map(commits.map(({ partition, offset, metadata }) => {
        return [partition, metadata === '' ? offset : -1]
      }))
      const isDone = offsets.every(({ partition, begin, end }) => {
        return begin === end || committed.get(partition) === end
      })
      return isDone || undefined
    })
  }

  async rebuild (
    live: string, limits: Pick<RebuildOptions, 'countMsMax' | 'swapWaitMsMax'> = {}
  ): Promise<ReplayReport> {
    return await rebuild({ ...this.#options(), live, now: Date.now, ...limits })
  }

  /** Reads the whole log into a table of its own. */
  async readInto (into: string, limits: Pick<ReplayIntoOptions, 'erasureWaitMsMax'> = {}): Promise<IntoReport> {
    return await replayInto({ ...this.#options(), into, arrivals: ALL_ARRIVALS, ...limits })
  }

  #options (): Omit<RebuildOptions, 'live' | 'now'> {
    const { writeClient: client, config: { database } } = this.erasure.database
    const look: EventLog['committedOffsets'] = async (...args) => {
      this.looks += 1
      return await this.#eventLog.committedOffsets(...args)
    }
    const eventLog = new Proxy(this.#eventLog, {
      get: (target, name) => {
        return name === 'committedOffsets' ? look : (Reflect.get(target, name) as Function).bind(target)
      }
    })
    return {
      eventLog,
      sink: createClickHouseSink(client, CONFIG.insertsMax),
      storedIdsOf: ({ tables, subject }) => createClickHouseStoredIds({ client, table: tables.raw, subject }),
      erasures: NOTHING_ERASED,
      config: CONFIG,
      log: SILENT,
      stream: this.#feed.stream,
      database,
      store: this.store,
      onProgress: () => {},
      signal: AbortSignal.timeout(STORED_MS_MAX)
    }
  }

  /** Positions of a table's rows, in order. */
  async positionsIn (table: string): Promise<unknown[]> {
    return await this.erasure.sql(`SELECT _partition, _offset, cookie FROM ${table} ORDER BY _partition, _offset`)
  }

  /** Events of a table: rows, or the sum of a rollup's counts. */
  async eventsIn (table: string): Promise<number> {
    const count = table.includes('_by_minute') ? 'sum(count)' : 'count()'
    const [row] = await this.erasure.sql<{ n: number }>(`SELECT toUInt32(${count}) AS n FROM ${table}`)
    return row?.n ?? NaN
  }

  async close (): Promise<void> {
    await this.#processor.stop()
    await this.#eventLog.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
