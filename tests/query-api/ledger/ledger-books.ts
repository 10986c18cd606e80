import { pino } from 'pino'
import { Registry } from 'prom-client'
import { insertBatch } from '../../../clickhouse/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../../http/index.ts'
import { EVERY_ROW, clickHouseQueryClient, ledgerRoutes } from '../../../query-api/index.ts'
import { imbalanceGauge } from '../../../query-api/ledger/imbalance-gauge.ts'
import { toDateTime } from '../../../contract/index.ts'
import { userTagRows } from '../../clickhouse/user-tag-rows.ts'
import type { LogPosition } from '../../../query-api/index.ts'
import type { TestDatabase } from '../../support/clickhouse.ts'

export const MINUTE_MS = 60_000

const SPAN_MS = 5 * MINUTE_MS
/**
 * About half an hour ago. Batches of the minutes from here on arrived on one day, whenever the tests run: a
 * rollup is recounted by the day.
 */
export const T0 = Math.floor(Date.now() / SPAN_MS) * SPAN_MS - 30 * MINUTE_MS

export interface BookedBatch {
  partition?: number
  first: number
  last: number
  /** Of the first and the last record. */
  arrivedMs: number
  arrivedToMs?: number
  stored?: number
  dead_lettered?: number
  duplicates?: number
  erased?: number
}

/** The row of `batches`; what is not said to be anything else is stored. */
export function batchRow (batch: BookedBatch) {
  const { partition = 0, first, last, arrivedMs, arrivedToMs = arrivedMs, ...counts } = batch
  const { dead_lettered: dead = 0, duplicates = 0, erased = 0 } = counts
  return {
    stream: 'user_tags',
    topic: 'user_tags',
    partition,
    first_offset: first,
    last_offset: last,
    token: `user_tags-${partition}-${first}-${last + 1}`,
    stored: counts.stored ?? last + 1 - first - dead - duplicates - erased,
    dead_lettered: dead,
    duplicates,
    erased,
    first_received_at: toDateTime(arrivedMs),
    last_received_at: toDateTime(arrivedToMs)
  }
}

/** Books batches, and puts the rows of those that are whole where the processors put them. */
export async function deliver (
  { writeClient: client }: TestDatabase, batches: readonly BookedBatch[]
): Promise<void> {
  for (const batch of batches) {
    const { partition = 0, first, last, arrivedMs, arrivedToMs = arrivedMs } = batch
    const booked = batchRow(batch)
    const rows = userTagRows(first, booked.stored).map((row, index) => ({
      ...row,
      received_at: toDateTime(index === booked.stored - 1 ? arrivedToMs : arrivedMs),
      _partition: partition
    }))
    const deadLetters = Array.from({ length: booked.dead_lettered }, (_, index) => ({
      id: `user_tags-${partition}-${last - index}`,
      stream: 'user_tags',
      topic: 'user_tags',
      partition,
      offset: last - index,
      key_base64: '',
      value_base64: '',
      reason: 'bad_bytes',
      detail: '',
      received_at: toDateTime(arrivedMs)
    }))
    const { token } = booked
    await insertBatch({ client, table: 'user_tags', rows, token })
    await insertBatch({ client, table: 'dead_letters', rows: deadLetters, token })
    await insertBatch({ client, table: 'batches', rows: [booked], token })
  }
}

/** A server with the ledger alone, over a log that stands where a test says. */
export async function ledgerServer ({ readClient }: TestDatabase, positions: () => LogPosition[]) {
  const server = createServer({ log: pino({ level: 'silent' }) })
  const paths = collectPaths(server)
  const registry = new Registry()
  const looks = new Registry()
  const sources = {
    client: clickHouseQueryClient(readClient, EVERY_ROW),
    logPositions: {
      positionsOf: async (name: string) => positions().filter(({ stream }) => stream === name)
    },
    retentionDays: { raw: 30, bySubject: 90, rollup: 400 },
    now: Date.now
  }
  await server.register(ledgerRoutes, { ...sources, registry })
  // The one of the routes looks once a minute.
  const gauge = imbalanceGauge(sources, looks)
  finishRoutes(server, paths)
  return {
    close: async () => {
      await gauge.close()
      await server.close()
    },
    registry: looks,
    /** Sets the metrics in `registry`. */
    look: () => gauge.look(),
    get: async (query: Record<string, string> = {}) => {
      const answer = await server.inject({ method: 'GET', url: '/ledger', query })
      return { status: answer.statusCode, body: answer.json() }
    }
  }
}
