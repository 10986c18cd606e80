import { pino } from 'pino'
import { insertBatch } from '../../clickhouse/index.ts'
import { createEncoder, toDateTime, userTags } from '../../contract/index.ts'
import { DeadLetters, deadLetterRoutes } from '../../dead-letters/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { NOTHING_HIDDEN, clickHouseQueryClient } from '../../query-api/index.ts'
import type { InjectOptions } from 'fastify'
import type { UserTag } from '../../contract/index.ts'
import type { MemoryLog } from '../support/memory-log.ts'
import type { TestDatabase } from '../support/clickhouse.ts'

export const TAG: UserTag = {
  time: '2026-03-04T05:06:07.000Z',
  cookie: 'c',
  country: 'PL',
  device: 'PC',
  action: 'VIEW',
  origin: 'o',
  product_info: { product_id: 1, brand_id: 'b', category_id: 'k', price: 10 }
}

export const LOG_RETENTION_MS = 20 * 3_600_000

export interface TestLetter {
  offset: number
  partition?: number
  value: Buffer
  key?: Buffer
  stream?: string
  reason?: string
  receivedAtMs?: number
}

export function tenantKey (tenant: string, subject = ''): Buffer {
  return Buffer.from(`${tenant.length}:${tenant}${subject}`)
}

/** The bytes of a tag in the log. */
export async function tagBytes (tag: UserTag = TAG, tenant = 'default'): Promise<Buffer> {
  const encoder = await createEncoder(userTags)
  return encoder.encode(userTags.toRecord(tag, { tenant, eventId: 'e', eventIdOrigin: 'SERVER' }))
}

/** Puts dead letters where the processors put them; their ids. */
export async function storeLetters (
  { writeClient }: TestDatabase, letters: readonly TestLetter[]
): Promise<string[]> {
  const rows = letters.map(({ offset, value, stream = 'user_tags', ...rest }) => ({
    id: `${stream}-${rest.partition ?? 0}-${offset}`,
    stream,
    topic: stream,
    partition: rest.partition ?? 0,
    offset,
    key_base64: (rest.key ?? tenantKey('default', 'c')).toString('base64'),
    value_base64: value.toString('base64'),
    reason: rest.reason ?? 'bad_bytes',
    detail: 'of the test',
    received_at: toDateTime(rest.receivedAtMs ?? Date.now() - 60_000)
  }))
  const token = rows.map(({ id }) => id).join()
  await insertBatch({ client: writeClient, table: 'dead_letters', rows, token })
  return rows.map(({ id }) => id)
}

/** A server with the routes of dead letters alone, over a log in memory; `tenant` says who asks. */
export async function lettersServer (database: TestDatabase, log: MemoryLog, now = Date.now) {
  const server = createServer({ log: pino({ level: 'silent' }) })
  server.addHook('onRequest', async (request) => {
    const tenant = request.headers['x-tenant']
    if (typeof tenant === 'string') request.principal = { tenant, scopes: ['admin'] }
  })
  const paths = collectPaths(server)
  const letters = new DeadLetters({
    reader: clickHouseQueryClient(database.readClient, NOTHING_HIDDEN),
    writer: database.writeClient,
    eventLog: log,
    schemaRegistry: undefined,
    logRetentionMs: LOG_RETENTION_MS,
    retentionDays: 30,
    now
  })
  await server.register(deadLetterRoutes, { letters })
  finishRoutes(server, paths)
  const send = async (options: InjectOptions, tenant = 'default') => {
    const answer = await server.inject({ ...options, headers: { 'x-tenant': tenant } })
    return { status: answer.statusCode, body: answer.json() }
  }
  return {
    close: () => server.close(),
    get: (url: string, tenant?: string) => send({ method: 'GET', url }, tenant),
    post: (url: string, payload?: object, tenant?: string) => {
      return send({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) }, tenant)
    }
  }
}
