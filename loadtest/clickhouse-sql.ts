import { LoopbackClient } from './loopback-client.ts'

/** As clickhouse/ sets them by default. */
const DATABASE = 'millrace'
const USERS = { writes: 'millrace', reads: 'millrace_reader' } as const

const ROWS = { default_format: 'JSONCompactEachRow', output_format_json_quote_64bit_integers: '0' }

/** Answers a statement with its rows, each an array of its columns. */
export interface Rows {
  rows: <Row extends unknown[]>(statement: string) => Promise<Row[]>
}

/** ClickHouse's own HTTP interface, as anybody on this machine may use it: past all code of the pipeline. */
export class ClickHouseSql implements Rows {
  readonly #client: LoopbackClient

  constructor (baseUrl: string) {
    this.#client = new LoopbackClient({ baseUrl, connectionsMax: 2 })
  }

  /** Rejects with what ClickHouse says where it does not answer 200. */
  async run (as: keyof typeof USERS, sql: string, parameters: Record<string, string> = {}): Promise<string> {
    const search = new URLSearchParams({ database: DATABASE, ...parameters })
    const { status, body } = await this.#client.post(`/?${search}`, sql, { 'x-clickhouse-user': USERS[as] })
    if (status !== 200) throw new Error(`ClickHouse answered ${status}: ${body.slice(0, 500)}`)
    return body
  }

  /** Rejects as `run` does. */
  async rows<Row extends unknown[]> (statement: string): Promise<Row[]> {
    const text = await this.run('writes', statement, ROWS)
    return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Row)
  }

  close (): void {
    this.#client.close()
  }
}
