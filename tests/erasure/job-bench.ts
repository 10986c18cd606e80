import { Registry } from 'prom-client'
import { v7 } from 'uuid'
import { insertBatch } from '../../clickhouse/index.ts'
import { recordKey, streams, toDateTime } from '../../contract/index.ts'
import {
  ErasureStore, Erasures, SubjectHasher, createErasureMetrics, personalTables
} from '../../erasure/index.ts'
import { ARRIVED_MS } from '../clickhouse/user-tag-rows.ts'
import { RowStore } from './serve.ts'
import type { ErasureJobOptions } from '../../erasure/index.ts'
import type { TestClickHouse, TestDatabase } from '../support/clickhouse.ts'

export const RETENTION_MS = 3_600_000
export const TENANT = 'acme'
const LOCK_TIMING = { heartbeatMs: 200, staleAfterMs: 1_000, pollMs: 50 }

/** One database, its erasures, and a job on it with a log that has been stored up to its end. */
export class Bench {
  readonly database: TestDatabase
  readonly rows: RowStore
  readonly store: ErasureStore
  readonly erasures: Erasures
  readonly options: ErasureJobOptions

  constructor (database: TestDatabase) {
    const { writeClient: client, config } = database
    const hasher = new SubjectHasher('a secret of at least 32 characters')
    this.database = database
    this.rows = new RowStore(database)
    this.store = new ErasureStore(client)
    this.erasures = new Erasures({
      store: this.store,
      hasher,
      logRetentionMs: RETENTION_MS,
      now: Date.now,
      newId: () => v7(),
      onCreated: () => undefined
    })
    this.options = {
      client,
      config,
      store: this.store,
      hasher,
      tables: personalTables(streams),
      progress: { ends: async () => new Map([[0, 7]]), stored: async () => new Map([[0, 7]]) },
      metrics: createErasureMetrics(new Registry(), Date.now),
      log: { info: () => undefined, warn: () => undefined },
      pollMs: 100,
      lockTiming: LOCK_TIMING
    }
  }

  static async open (clickHouse: TestClickHouse): Promise<Bench> {
    return new Bench(await clickHouse.freshDatabase())
  }

  async sql<Row> (query: string, params: Record<string, unknown> = {}): Promise<Row[]> {
    const answer = await this.database.writeClient.query({ query, query_params: params, format: 'JSONEachRow' })
    return await answer.json<Row>()
  }

  /** A letter whose bytes speak of a subject, and whose key names it, or another one. */
  async deadLetter (subject: string, offset: number, named = subject): Promise<void> {
    const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64')
    await insertBatch({
      client: this.database.writeClient,
      table: 'dead_letters',
      rows: [{
        id: `page_views-0-${offset}`,
        stream: 'page_views',
        topic: 'page_views',
        partition: 0,
        offset,
        key_base64: base64(recordKey(TENANT, named)),
        value_base64: base64(`broken bytes of ${subject}`),
        reason: 'undecodable',
        detail: 'test',
        received_at: toDateTime(ARRIVED_MS)
      }],
      token: `dead-${offset}`
    })
  }

  /** Rows of every table with personal rows, but for one subject's. */
  async others (subject: string): Promise<Map<string, unknown[]>> {
    const found = new Map<string, unknown[]>()
    for (const stream of streams) {
      for (const table of stream.personalTables) {
        found.set(table, await this.sql(
          `SELECT * FROM ${table} WHERE ${stream.subject} != {subject:String} ORDER BY tenant, _partition, _offset`, { subject }))
      }
    }
    return found
  }

  /** Every column of text of every table in which a text stands, in rows that are masked too. */
  async placesOf (text: string): Promise<string[]> {
    const columns = await this.sql<{ table: string, name: string }>(
      `SELECT table, name FROM system.columns WHERE database = currentDatabase() AND type LIKE '%String%'
       AND default_kind != 'EPHEMERAL' AND table NOT LIKE '%_view'`)
    const places: string[] = []
    for (const { table, name } of columns) {
      const [row] = await this.sql<{ n: number }>(
        `SELECT toUInt32(count()) AS n FROM ${table} WHERE position(toString(${name}), {text:String}) > 0
         SETTINGS apply_deleted_mask = 0`, { text })
      if (row?.n !== 0) places.push(`${table}.${name}`)
    }
    return places
  }

  async mutations (): Promise<string[]> {
    return (await this.sql<{ command: string }>('SELECT command FROM system.mutations WHERE database = currentDatabase()'))
      .map(({ command }) => command)
  }
}
