import { LoopbackClient } from './loopback-client.ts'

/** As clickhouse/ sets them by default. */
const DATABASE = 'millrace'
const USERS = { writes: 'millrace', reads: 'millrace_reader' } as const

/** ClickHouse's own HTTP interface, as anybody on this machine may use it. */
export class ClickHouseSql {
  readonly #client: LoopbackClient

  constructor (baseUrl: string) {
    this.#client = new LoopbackClient({ baseUrl, connectionsMax: 1 })
  }

  /** Rejects with what ClickHouse says where it does not answer 200. */
  async run (as: keyof typeof USERS, sql: string, parameters: Record<string, string> = {}): Promise<string> {
    const search = new URLSearchParams({ database: DATABASE, ...parameters })
    const { status, body } = await this.#client.post(`/?${search}`, sql, { 'x-clickhouse-user': USERS[as] })
    if (status !== 200) throw new Error(`ClickHouse answered ${status}: ${body.slice(0, 500)}`)
    return body
  }

  close (): void {
    this.#client.close()
  }
}
