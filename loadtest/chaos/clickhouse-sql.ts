import { LoopbackClient } from '../loopback-client.ts'

const PATH = '/?database=millrace&output_format_json_quote_64bit_integers=0&default_format=JSONCompactEachRow'

/** Answers a statement with its rows, each an array of its columns. */
export interface Rows {
  rows: <Row extends unknown[]>(statement: string) => Promise<Row[]>
}

/** SQL straight on ClickHouse, past every proxy and all code of the pipeline. */
export class ClickHouseSql implements Rows {
  readonly #client: LoopbackClient

  constructor (port: number) {
    this.#client = new LoopbackClient({ baseUrl: `http://127.0.0.1:${port}`, connectionsMax: 2 })
  }

  /** Throws where ClickHouse does not answer, or refuses. */
  async rows<Row extends unknown[]> (statement: string): Promise<Row[]> {
    const { status, body } = await this.#client.post(PATH, statement, {
      'content-type': 'text/plain', 'x-clickhouse-user': 'millrace'
    })
    if (status !== 200) throw new Error(`ClickHouse answered ${status}: ${body}`)
    return body.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Row)
  }

  close (): void {
    this.#client.close()
  }
}
