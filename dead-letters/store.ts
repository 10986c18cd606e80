import { MillraceError, toDateTime } from '../contract/index.ts'
import { insertBatch } from '../clickhouse/index.ts'
import { firstRetriesQuery, lettersQuery, listQuery, storedEventsQuery, toHead, toLetter } from './queries.ts'
import { retryEventId } from './dead-letter.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { Row, Stream } from '../contract/index.ts'
import type { DeadLetter, DeadLetterHead } from './dead-letter.ts'
import type { LetterPage, LetterQuery } from './queries.ts'

const DAY_MS = 86_400_000
const QUERY_MS_MAX = 20_000

/** Reads as a user that can only read; rejects with MillraceError. */
export interface LetterReader {
  query: (query: LetterQuery, signal: AbortSignal) => Promise<Row[]>
}

export interface DeadLetterStoreOptions {
  reader: LetterReader
  /** Notes retries. */
  writer: ClickHouseClient
  /** Days after arrival that letters, and what is noted of them, are kept. */
  retentionDays: number
  /** Epoch milliseconds. */
  now: () => number
}

/** Where a retried event stands in the log. */
export interface RetriedPlace {
  id: string
  topic: string
  partition: number
  offset: number
  atMs: number
  corrected: boolean
}

/**
 * The dead letters, and the notes of their retries, which stand in a table of their own: a letter itself is
 * never changed. Rejects with MillraceError `storage_unavailable`.
 */
export class DeadLetterStore {
  readonly #options: DeadLetterStoreOptions

  constructor (options: DeadLetterStoreOptions) {
    this.#options = options
  }

  /** A page of a tenant's letters, and whether there are more. */
  async list (tenant: string, page: LetterPage): Promise<{ letters: DeadLetterHead[], more: boolean }> {
    const filter = { ...page.filter, fromMs: Math.max(page.filter.fromMs, this.#oldestMs()) }
    const rows = await this.#query(listQuery(tenant, { ...page, filter }))
    return { letters: rows.slice(0, page.limit).map(toHead), more: rows.length > page.limit }
  }

  /** A tenant's letters of these ids, those that there are, in the order of the ids. */
  async find (tenant: string, ids: readonly string[]): Promise<DeadLetter[]> {
    const range = { fromMs: this.#oldestMs(), toMs: this.#options.now() + DAY_MS }
    const letters = (await this.#query(lettersQuery(tenant, ids, range))).map(toLetter)
    return letters.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
  }

  /** Of letters with an unfinished attempt: where its event was stored nevertheless. */
  async findStored (stream: Stream, letters: readonly DeadLetter[]): Promise<RetriedPlace[]> {
    const [first] = letters
    if (first === undefined) return []
    const byEvent = new Map(letters.map((letter) => [retryEventId(letter), letter.id]))
    const sinceMs = Math.min(...letters.map(({ attemptedAtMs = 0 }) => attemptedAtMs))
    const rows = await this.#query(storedEventsQuery({
      table: stream.tables.raw, tenant: first.tenant, eventIds: [...byEvent.keys()], sinceMs
    }))
    return rows.map((row) => ({
      id: byEvent.get(String(row['event_id'])) as string,
      topic: stream.topic,
      partition: Number(row['partition']),
      offset: Number(row['offset']),
      atMs: Number(row['received_ms']),
      corrected: false
    }))
  }

  /** Notes that attempts begin; without this note nothing may be appended. */
  async noteAttempts (ids: readonly string[], attempt: { token: string, atMs: number }): Promise<void> {
    const { token, atMs } = attempt
    await this.#note(token, ids.map((id) => {
      return { id, state: 'retrying', topic: '', partition: null, offset: null, atMs, corrected: false }
    }))
  }

  async noteRetried (places: readonly RetriedPlace[], token: string): Promise<void> {
    await this.#note(token, places.map((place) => ({ ...place, state: 'retried' })))
  }

  /**
   * Of retries that were noted: those that no other one of the same letter, noted by anybody until now, comes
   * before in the log. A retry that was appended and is not noted yet is not known.
   */
  async firstOf (places: readonly RetriedPlace[]): Promise<RetriedPlace[]> {
    const rows = await this.#query(firstRetriesQuery(places.map(({ id }) => id)))
    return places.filter(({ id, partition, offset }) => !rows.some((row) => {
      return row['id'] === id && Number(row['partition']) === partition && Number(row['first_offset']) < offset
    }))
  }

  async #note (token: string, notes: ReadonlyArray<{ id: string, atMs: number } & Row>): Promise<void> {
    try {
      await insertBatch({
        client: this.#options.writer,
        table: 'dead_letter_retries',
        token,
        rows: notes.map(({ id, atMs, ...note }) => {
          return { dead_letter_id: id, ...note, received_at: toDateTime(atMs) }
        })
      })
    } catch (cause) {
      throw new MillraceError('storage_unavailable', 'The retry could not be noted', { cause })
    }
  }

  #query (query: LetterQuery): Promise<Row[]> {
    return this.#options.reader.query(query, AbortSignal.timeout(QUERY_MS_MAX))
  }

  /** Expired rows leave in parts, notes and letters each at their time: what has expired is not looked at. */
  #oldestMs (): number {
    return Math.max(0, this.#options.now() - this.#options.retentionDays * DAY_MS)
  }
}
