/** The routes of the system as `serve` composes them, over a test's database; no processor runs. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openServePart, serveRole } from '../../cli/roles/serve.ts'
import { Closers } from '../../cli/role.ts'
import { loadSettings } from '../../cli/settings.ts'
import { insertBatch } from '../../clickhouse/index.ts'
import {
  analytics, createEncoder, interactions, pageViews, toDateTime, userTags, visits
} from '../../contract/index.ts'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { accessFolder, fileWithKeys } from '../access/access-server.ts'
import { APP, EVENT_TIME } from '../access/read-examples.ts'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Interaction, Stream } from '../../contract/index.ts'
import type { TestDatabase } from '../support/clickhouse.ts'

export interface TestAnswer {
  status: number
  body: any
  headers: any
  bytes: Buffer
}

export interface ServedSystem {
  server: FastifyInstance
  /** Folder of its log and its keys. */
  directory: string
  /** Sends a request with the key of an organisation. */
  ask: (organisation: string, options: InjectOptions) => Promise<TestAnswer>
  close: () => Promise<void>
}

export async function startServed (
  { config }: TestDatabase, organisations: readonly string[], extra: Record<string, string> = {}
): Promise<ServedSystem> {
  const folder = accessFolder()
  const made = fileWithKeys(organisations.map((organisation) => ({ organisation })))
  folder.write(made.file)
  const secrets = new Map(organisations.map((name, index) => [name, made.secrets[index] as string]))
  const closers = new Closers()
  const env = loadSettings(serveRole.settings, {
    DATA_DIR: folder.directory,
    CLICKHOUSE_URL: config.url,
    CLICKHOUSE_DATABASE: config.database,
    CLICKHOUSE_USER: config.user,
    CLICKHOUSE_PASSWORD: config.password,
    CLICKHOUSE_READ_USER: config.readUser,
    CLICKHOUSE_READ_PASSWORD: config.readPassword,
    QUERY_TIMEOUT_MS: '60000',
    ...extra
  })
  const log = pino({ level: 'silent' })
  const part = await openServePart(env, { log, registry: new Registry(), closers })
  const server = createServer({ log })
  const paths = collectPaths(server)
  await part.routes(server)
  await server.after()
  finishRoutes(server, paths)
  return {
    server,
    directory: folder.directory,
    ask: async (organisation, options) => {
      const headers = { ...options.headers, 'x-api-key': secrets.get(organisation) as string }
      const answer = await server.inject({ ...options, headers })
      const isJson = /json/.test(String(answer.headers['content-type'])) && answer.body !== ''
      return {
        status: answer.statusCode,
        body: isJson ? answer.json() : answer.body,
        headers: answer.headers,
        bytes: answer.rawPayload
      }
    },
    close: async () => {
      await server.close()
      await closers.closeAll()
      folder.remove()
    }
  }
}

/** Puts rows into the tables as processors do, with positions that no other call has used. */
export class RowStore {
  readonly #client: TestDatabase['writeClient']
  #offset = 0

  constructor ({ writeClient }: TestDatabase) {
    this.#client = writeClient
  }

  async store<E extends object, R> (
    stream: Stream<E, R>, tenant: string, events: readonly E[], receivedAtMs = Date.now()
  ): Promise<void> {
    const rows = events.map((event) => {
      const offset = this.#offset++
      const record = stream.toRecord(event, { tenant, eventId: `e${offset}`, eventIdOrigin: 'SERVER' })
      return stream.toRow(record, { partition: 0, offset, receivedAtMs })
    })
    await insertBatch({ client: this.#client, table: stream.tables.raw, rows, token: `t${this.#offset}` })
  }

  /** Events of every stream about one subject: what every example of a read needs. */
  async storeAll (tenant: string, subject: string, receivedAtMs = Date.now()): Promise<void> {
    await this.store(userTags, tenant, [{
      time: EVENT_TIME,
      cookie: subject,
      country: 'PL',
      device: 'PC',
      action: 'VIEW',
      origin: 'origin',
      product_info: { product_id: 1, brand_id: 'brand', category_id: 'category', price: 10 }
    }], receivedAtMs)
    await this.store(pageViews, tenant, [{ timestamp: EVENT_TIME, user_id: subject, name: 'page' }], receivedAtMs)
    await this.store(analytics, tenant, [{ timestamp: EVENT_TIME, user: subject, event: 'click' }], receivedAtMs)
    const visit = { visitedAt: EVENT_TIME, identifier: subject, pageUrl: 'https://p.example/' }
    await this.store(visits, tenant, [visit], receivedAtMs)
    await this.store(interactions, tenant, stepsOf(subject), receivedAtMs)
  }

  /** A page view of the subject that could not be stored. */
  async storeLetter (tenant: string, subject: string): Promise<void> {
    const event = { timestamp: EVENT_TIME, user_id: subject, name: 'page' }
    const offset = this.#offset++
    const record = pageViews.toRecord(event, { tenant, eventId: `e${offset}`, eventIdOrigin: 'SERVER' })
    const rows = [{
      id: `page_views-0-${offset}`,
      stream: 'page_views',
      topic: 'page_views',
      partition: 0,
      offset,
      key_base64: pageViews.recordKey(event, tenant).toString('base64'),
      value_base64: (await createEncoder(pageViews)).encode(record).toString('base64'),
      reason: 'refused_by_storage',
      detail: '',
      received_at: toDateTime(Date.now())
    }]
    await insertBatch({ client: this.#client, table: 'dead_letters', rows, token: `t${this.#offset}` })
  }
}

function stepsOf (subject: string): Interaction[] {
  const step = { timestamp: EVENT_TIME, app: APP, device_id: subject, elapsed_time: 2 } as const
  return [
    { ...step, type: 'session_start', device: 'PC', browser: 'Firefox', os: 'Linux' },
    { ...step, type: 'url_change', from_url: '/a', to_url: '/b' },
    { ...step, type: 'click', target: '/button', current_url: '/a' },
    { ...step, type: 'btn_time', target: '/button', action: 'hover_then_clicked' },
    { ...step, type: 'funnel_change', action: 'onClick', entered: 'one' },
    { ...step, type: 'funnel_change', action: 'onClick', entered: 'two', from_stage: 'one' }
  ]
}
