import { join } from 'node:path'
import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'

/** The one that ClickHouse tools expect. */
const EMBEDDED_PORT = 8123

/**
 * Settings of everything that speaks to ClickHouse, keyed by environment variable. cli composes the settings
 * of a role from such fragments; nothing here reads the environment.
 */
export const clickHouseSettings = {
  CLICKHOUSE_URL: Type.Optional(Type.String({
    description: 'ClickHouse HTTP interface; without it the embedded server of this machine, which start starts.'
  })),
  // Kubernetes puts tcp://… there where a service is named clickhouse: nobody's fault, and not meant for us.
  CLICKHOUSE_PORT: Type.String({
    default: String(EMBEDDED_PORT),
    pattern: '^(\\d{1,5}|tcp://.*)$',
    description: 'Port of the embedded server, where there is no CLICKHOUSE_URL.'
  }),
  CLICKHOUSE_DATABASE: Type.String({
    default: 'millrace',
    pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$',
    description: 'Database of every table; migrations create it.'
  }),
  CLICKHOUSE_USER: Type.String({
    default: 'millrace',
    description: 'User that migrates, inserts and erases.'
  }),
  CLICKHOUSE_PASSWORD: Type.String({ default: '', description: 'Password of CLICKHOUSE_USER.' }),
  CLICKHOUSE_READ_USER: Type.String({
    default: 'millrace_reader',
    description: 'Read-only user that answers queries, held to the limits CLICKHOUSE_READ_*.'
  }),
  CLICKHOUSE_READ_PASSWORD: Type.String({ default: '', description: 'Password of CLICKHOUSE_READ_USER.' }),
  CLICKHOUSE_READ_SECONDS_MAX: Type.Number({
    default: 30,
    exclusiveMinimum: 0,
    description: 'Longest run of one read query: ad-hoc queries answer in seconds, or they are too large.'
  }),
  CLICKHOUSE_READ_MEMORY_BYTES_MAX: Type.Integer({
    default: 512 * 1024 * 1024,
    minimum: 16 * 1024 * 1024,
    description: 'Memory of one read query; two at once still fit into the embedded server.'
  }),
  CLICKHOUSE_READ_RESULT_ROWS_MAX: Type.Integer({
    default: 1_000_000,
    minimum: 1,
    description: 'Rows of one answer; more than a person or a chart can use.'
  }),
  CLICKHOUSE_READ_RESULT_BYTES_MAX: Type.Integer({
    default: 128 * 1024 * 1024,
    minimum: 1024,
    description: 'Bytes of one answer, uncompressed; it is held in memory.'
  }),
  CLICKHOUSE_CLUSTER: Type.Optional(Type.String({
    pattern: '^[A-Za-z0-9_-]{1,64}$',
    description: 'Cluster name; when set, tables are Replicated… and DDL runs ON CLUSTER.'
  })),
  CLICKHOUSE_RETENTION_DAYS_RAW: Type.Integer({
    default: 30,
    minimum: 1,
    description: 'Days that raw rows and dead letters are kept after arrival.'
  }),
  CLICKHOUSE_RETENTION_DAYS_BY_SUBJECT: Type.Integer({
    default: 90,
    minimum: 1,
    description: 'Days that the tables ordered by subject keep a row after arrival.'
  }),
  CLICKHOUSE_RETENTION_DAYS_ROLLUP: Type.Integer({
    default: 400,
    minimum: 1,
    description: 'Days that rollups and the batch ledger are kept: a year and a month.'
  }),
  CLICKHOUSE_REQUEST_TIMEOUT_MS: Type.Integer({
    default: 30_000,
    minimum: 1,
    description: 'Longest wait for one answer of ClickHouse.'
  }),
  CLICKHOUSE_CONNECTIONS_MAX: Type.Integer({
    default: 10,
    minimum: 1,
    description: 'Open connections of one client; more requests wait for a free one.'
  }),
  CLICKHOUSE_COMPRESSION: Type.Boolean({
    default: false,
    description: 'Gzip requests and answers: saves network between machines, costs CPU on loopback.'
  })
}

export interface ClickHouseConfig {
  url: string
  database: string
  user: string
  password: string
  readUser: string
  readPassword: string
  readLimits: ReadLimits
  /** Undefined: one server, plain MergeTree. */
  cluster: string | undefined
  retentionDays: { raw: number, bySubject: number, rollup: number }
  requestTimeoutMs: number
  connectionsMax: number
  compression: boolean
}

/** What one query of the read-only user may use. */
export interface ReadLimits {
  secondsMax: number
  memoryBytesMax: number
  resultRowsMax: number
  resultBytesMax: number
}

type ClickHouseEnv = Omit<Static<TObject<typeof clickHouseSettings>>, 'CLICKHOUSE_PORT'> & {
  /** A number where a role starts the embedded server itself. */
  CLICKHOUSE_PORT: string | number
}

/** Where ClickHouse is: the one that is named, or the embedded one. */
export function clickHouseUrl ({ CLICKHOUSE_URL: url, CLICKHOUSE_PORT: port }: Pick<
  ClickHouseEnv, 'CLICKHOUSE_URL' | 'CLICKHOUSE_PORT'
>): string {
  return url ?? `http://127.0.0.1:${/^\d+$/.test(String(port)) ? port : EMBEDDED_PORT}`
}

/** The ClickHouse slice of a validated environment. */
export function clickHouseConfig (env: ClickHouseEnv): ClickHouseConfig {
  return {
    url: clickHouseUrl(env),
    database: env.CLICKHOUSE_DATABASE,
    user: env.CLICKHOUSE_USER,
    password: env.CLICKHOUSE_PASSWORD,
    readUser: env.CLICKHOUSE_READ_USER,
    readPassword: env.CLICKHOUSE_READ_PASSWORD,
    readLimits: {
      secondsMax: env.CLICKHOUSE_READ_SECONDS_MAX,
      memoryBytesMax: env.CLICKHOUSE_READ_MEMORY_BYTES_MAX,
      resultRowsMax: env.CLICKHOUSE_READ_RESULT_ROWS_MAX,
      resultBytesMax: env.CLICKHOUSE_READ_RESULT_BYTES_MAX
    },
    cluster: env.CLICKHOUSE_CLUSTER,
    retentionDays: {
      raw: env.CLICKHOUSE_RETENTION_DAYS_RAW,
      bySubject: env.CLICKHOUSE_RETENTION_DAYS_BY_SUBJECT,
      rollup: env.CLICKHOUSE_RETENTION_DAYS_ROLLUP
    },
    requestTimeoutMs: env.CLICKHOUSE_REQUEST_TIMEOUT_MS,
    connectionsMax: env.CLICKHOUSE_CONNECTIONS_MAX,
    compression: env.CLICKHOUSE_COMPRESSION
  }
}

/** Settings of the embedded server alone; the users come from `clickHouseSettings`. */
export const embeddedServerSettings = {
  DATA_DIR: Type.String({
    default: './data',
    description: 'Folder of everything that the embedded parts store; ClickHouse uses its subfolder clickhouse.'
  }),
  CLICKHOUSE_HOST: Type.Literal('127.0.0.1', {
    default: '127.0.0.1',
    description: 'The embedded server listens on loopback only.'
  }),
  CLICKHOUSE_PORT: Type.Integer({
    default: EMBEDDED_PORT,
    minimum: 0,
    maximum: 65_535,
    description: 'Port of the embedded server: the one that ClickHouse tools expect. 0 takes a free one.'
  }),
  CLICKHOUSE_MEMORY_BYTES_MAX: Type.Integer({
    default: 1024 * 1024 * 1024,
    minimum: 256 * 1024 * 1024,
    description: 'Memory of the embedded engine, so that the whole embedded system stays below 2 GB.'
  }),
  CLICKHOUSE_QUERIES_MAX: Type.Integer({
    default: 4,
    minimum: 1,
    maximum: 64,
    description: 'Queries at once in the embedded server; the process needs UV_THREADPOOL_SIZE of twice as many.'
  }),
  CLICKHOUSE_QUERIES_WAITING_MAX: Type.Integer({
    default: 200,
    minimum: 0,
    description: 'Requests that may wait for their turn; one more is answered with code 202.'
  }),
  CLICKHOUSE_THREADS_PER_QUERY: Type.Integer({
    default: 2,
    minimum: 1,
    description: 'Threads of one query in the embedded server: a laptop serves ingest on the same cores.'
  })
}

export interface EmbeddedServerConfig {
  directory: string
  host: '127.0.0.1'
  port: number
  limits: EngineLimits
}

/** What the whole embedded engine may use. */
export interface EngineLimits {
  memoryBytesMax: number
  queriesMax: number
  queriesWaitingMax: number
  threadsPerQuery: number
}

/** The embedded server's slice of a validated environment. */
export function embeddedServerConfig (
  env: Static<TObject<typeof embeddedServerSettings>>
): EmbeddedServerConfig {
  return {
    directory: join(env.DATA_DIR, 'clickhouse'),
    host: env.CLICKHOUSE_HOST,
    port: env.CLICKHOUSE_PORT,
    limits: {
      memoryBytesMax: env.CLICKHOUSE_MEMORY_BYTES_MAX,
      queriesMax: env.CLICKHOUSE_QUERIES_MAX,
      queriesWaitingMax: env.CLICKHOUSE_QUERIES_WAITING_MAX,
      threadsPerQuery: env.CLICKHOUSE_THREADS_PER_QUERY
    }
  }
}
