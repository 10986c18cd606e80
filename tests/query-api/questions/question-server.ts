import { pino } from 'pino'
import { streams, userTags, visits } from '../../../contract/index.ts'
import { insertBatch } from '../../../clickhouse/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../../http/index.ts'
import {
  NOTHING_HIDDEN, addCompleteUpTo, clickHouseQuestionClient, questionConfig, questionRoutes
} from '../../../query-api/index.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import type { FastifyInstance } from 'fastify'
import type { Row, Stream, UserTag, Visit } from '../../../contract/index.ts'
import type { QuestionClient, Watermark, WatermarkState } from '../../../query-api/index.ts'
import type { TestDatabase } from '../../support/clickhouse.ts'
import type { ModelEvent } from './model.ts'

export const LIMITS = questionConfig({
  QUERY_ROWS_MAX: 10_000_000, QUERY_SECONDS_MAX: 30, QUERY_IN_FLIGHT_MAX: 2, QUERY_WAITING_MAX: 100
})

/** A watermark that says what a test tells it. */
export class MemoryWatermark implements Watermark {
  state: WatermarkState = { completeUpToMs: Date.UTC(2026, 0, 1), version: 'v1' }

  async stateOf (): Promise<WatermarkState> {
    return this.state
  }
}

export interface QuestionServerOptions {
  client: QuestionClient
  watermark?: Watermark
  limits?: Partial<typeof LIMITS>
  tenant?: string
}

export async function questionServer (options: QuestionServerOptions): Promise<FastifyInstance> {
  const { client, watermark = new MemoryWatermark(), limits = {}, tenant = 'default' } = options
  const server = createServer({ log: pino({ level: 'silent' }) })
  const paths = collectPaths(server)
  // The day does not end while a test runs.
  const nowMs = Date.now()
  server.addHook('onRequest', async (request) => { request.principal = { tenant, scopes: ['query'] } })
  addCompleteUpTo(server, { watermark, streams: streams.map(({ name }) => name) })
  await server.register(questionRoutes, {
    client,
    watermark,
    visibility: NOTHING_HIDDEN,
    limits: { ...LIMITS, ...limits },
    retentionDays: { raw: 30, bySubject: 90, rollup: 400 },
    now: () => nowMs
  })
  finishRoutes(server, paths)
  return server
}

export function engineClient ({ readClient }: TestDatabase, secondsMax = LIMITS.secondsMax): QuestionClient {
  return clickHouseQuestionClient({ client: readClient, visibility: NOTHING_HIDDEN, secondsMax })
}

/** Puts events into their raw table as the processors do. */
export async function store (
  { writeClient }: TestDatabase, stream: Stream, events: readonly object[], tenant = 'default'
): Promise<void> {
  const rows = events.map((event, offset) => {
    const record = stream.toRecord(event as Row, { tenant, eventId: `e${offset}`, eventIdOrigin: 'SERVER' })
    return stream.toRow(record, { partition: 0, offset, receivedAtMs: Date.now() })
  })
  for (let first = 0; first < rows.length; first += 25_000) {
    await insertBatch({
      client: writeClient,
      table: stream.tables.raw,
      rows: rows.slice(first, first + 25_000),
      token: `${tenant}-${stream.name}-${first}`
    })
  }
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomOf (seed: number): () => number {
  const random = new SeededRandom(seed)
  return () => random.fraction()
}

/** Generated tags, `[fromMs, toMs)`, at random times in no order. */
export function randomTags (count: number, fromMs: number, toMs: number, random: () => number): UserTag[] {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() ** 2 * values.length)] as T
  return Array.from({ length: count }, () => ({
    time: new Date(fromMs + Math.floor(random() * (toMs - fromMs))).toISOString(),
    cookie: `c${Math.floor(random() * 400)}`,
    country: pick(['PL', 'DE', 'US', 'Ü']),
    device: pick(['PC', 'MOBILE', 'TV'] as const),
    action: pick(['VIEW', 'VIEW', 'BUY'] as const),
    origin: pick(['spring', 'summer', "o'clock", 'a"b', 'x,y']),
    product_info: {
      product_id: random() < 0.5 ? Math.floor(random() * 30) : `p${Math.floor(random() * 30)}`,
      brand_id: pick(['adidas', 'nike', 'apple', 'žluť', '\\', '{p0:String}']),
      category_id: pick(['shoes', 'phones', 'toys']),
      price: Math.floor(random() * 20_000) - 500
    }
  }))
}

/** Generated visits, `[fromMs, toMs)`, at random times in no order. */
export function randomVisits (count: number, fromMs: number, toMs: number, random: () => number): Visit[] {
  return Array.from({ length: count }, () => ({
    visitedAt: new Date(fromMs + Math.floor(random() * (toMs - fromMs))).toISOString(),
    identifier: `i${Math.floor(random() * 400)}`,
    pageUrl: `https://shop.example/${'abcdefgh'[Math.floor(random() ** 2 * 8)]}?q=ž`
  }))
}

export function modelTag ({ time, product_info: product, ...fields }: UserTag): ModelEvent {
  return { ms: Date.parse(time), fields: { ...fields, ...product, product_id: String(product.product_id) } }
}

export const userTagStream = userTags as unknown as Stream
export const visitStream = visits as unknown as Stream
