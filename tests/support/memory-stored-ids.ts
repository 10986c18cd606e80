import type { Row } from '../../contract/index.ts'
import type { StoredId, StoredIds, StoredRange } from '../../processors/index.ts'

export interface MemoryStoredIdsOptions {
  /** The rows that the table holds at the time of a call. */
  rows: () => readonly Row[]
  subject: string
  /** Called before each read; may throw. */
  step?: (name: string) => void
}

/** The ids of a table in memory, whose rows are as a sink was given them. */
export class MemoryStoredIds implements StoredIds {
  readonly #options: MemoryStoredIdsOptions
  /** Calls so far, by kind. */
  readonly calls = { newest: 0, find: 0 }

  constructor (options: MemoryStoredIdsOptions) {
    this.#options = options
  }

  async * newest (range: StoredRange, limit: number): AsyncGenerator<StoredId[]> {
    this.calls.newest++
    this.#options.step?.('read newest ids')
    yield this.#inRange(range).toSorted((a, b) => b.receivedAtMs - a.receivedAtMs).slice(0, limit)
  }

  async find (range: StoredRange, wanted: ReadonlyArray<Pick<StoredId, 'eventId'>>): Promise<StoredId[]> {
    this.calls.find++
    this.#options.step?.('find ids')
    const ids = new Set(wanted.map(({ eventId }) => eventId))
    return this.#inRange(range).filter(({ eventId }) => ids.has(eventId))
  }

  #inRange ({ partition, below, fromMs, toMs }: StoredRange): StoredId[] {
    return this.#options.rows()
      .filter((row) => {
        const mayComeAgain = row['event_id_origin'] !== 'SERVER'
        return row['_partition'] === partition && Number(row['_offset']) < below && mayComeAgain
      })
      .map((row) => ({
        tenant: String(row['tenant']),
        subject: String(row[this.#options.subject]),
        eventId: String(row['event_id']),
        receivedAtMs: Date.parse(`${String(row['received_at']).replace(' ', 'T')}Z`)
      }))
      .filter(({ receivedAtMs }) => receivedAtMs >= fromMs && receivedAtMs < toMs)
  }
}
