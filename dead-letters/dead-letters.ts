import { MillraceError } from '../contract/index.ts'
import { describeLetter } from './dead-letter.ts'
import { cursorText } from './parse-request.ts'
import { Retrier } from './retrier.ts'
import { DeadLetterStore } from './store.ts'
import type { EventLog } from '../eventlog/index.ts'
import type { SchemaRegistry } from '../contract/index.ts'
import type { DeadLetterHead } from './dead-letter.ts'
import type { BulkRequest } from './parse-request.ts'
import type { LetterPage } from './queries.ts'
import type { RetryOutcome } from './retrier.ts'
import type { DeadLetterStoreOptions } from './store.ts'

/** Letters that are in memory at once in a bulk retry: each may be as large as a record. */
const CHUNK_LETTERS = 50

export interface DeadLettersOptions extends DeadLetterStoreOptions {
  eventLog: Pick<EventLog, 'append'>
  schemaRegistry: SchemaRegistry | undefined
  /** How long the log keeps records after their arrival. */
  logRetentionMs: number
}

export interface LetterList {
  dead_letters: DeadLetterHead[]
  next_cursor: string | null
}

export interface BulkAnswer {
  /** Letters that fit the filter; with `more`, as many as were asked for. */
  matched: number
  retried: number
  failed: Array<{ id: string, code: string, message: string }>
  more: boolean
  dry_run: boolean
}

/** What is asked of dead letters, over HTTP and in the command. Everything rejects with MillraceError. */
export class DeadLetters {
  readonly #store: DeadLetterStore
  readonly #retrier: Retrier

  constructor (options: DeadLettersOptions) {
    const { eventLog, schemaRegistry, logRetentionMs, now } = options
    this.#store = new DeadLetterStore(options)
    this.#retrier = new Retrier({ store: this.#store, eventLog, schemaRegistry, logRetentionMs, now })
  }

  async list (tenant: string, page: LetterPage): Promise<LetterList> {
    const { letters, more } = await this.#store.list(tenant, page)
    const last = letters.at(-1)
    return {
      dead_letters: letters,
      next_cursor: more && last !== undefined
        ? cursorText({ receivedAtMs: Date.parse(last.received_at), id: last.id })
        : null
    }
  }

  async show (tenant: string, id: string): Promise<object> {
    const [letter] = await this.#store.find(tenant, [id])
    if (letter === undefined) throw new MillraceError('dead_letter_not_found', 'No dead letter has this id')
    return describeLetter(letter, await this.#retrier.decode(letter))
  }

  /** Retries one letter, with another event where `correction` is given; what was sent, and to where. */
  async retry (
    tenant: string, id: string, { correction, dryRun }: { correction?: unknown, dryRun: boolean }
  ): Promise<object> {
    const [outcome] = await this.#retrier.retry({ tenant, ids: [id], correction, dryRun })
    const { letter, event, place } = settled(outcome)
    const sent = { id, stream: letter.stream, event }
    if (place === undefined) return { ...sent, state: letter.state, dry_run: true }
    const { topic, partition, offset, atMs, corrected } = place
    const retried = { at: new Date(atMs).toISOString(), topic, partition, offset, corrected }
    return { ...sent, state: 'retried', retried, dry_run: false }
  }

  /** Retries the oldest letters of a filter as they are; those that cannot be are listed with the reason. */
  async retryMany (tenant: string, { page, dryRun }: BulkRequest): Promise<BulkAnswer> {
    const { letters: heads, more } = await this.#store.list(tenant, page)
    const answer: BulkAnswer = { matched: heads.length, retried: 0, failed: [], more, dry_run: dryRun }
    for (let first = 0; first < heads.length; first += CHUNK_LETTERS) {
      const ids = heads.slice(first, first + CHUNK_LETTERS).map(({ id }) => id)
      for (const outcome of await this.#retrier.retry({ tenant, ids, dryRun })) {
        if (!('refusal' in outcome)) answer.retried += outcome.place === undefined ? 0 : 1
        else answer.failed.push(failureOf(outcome))
      }
    }
    return answer
  }
}

function failureOf ({ id, refusal }: Extract<RetryOutcome, { refusal: MillraceError }>) {
  return { id, code: refusal.code, message: refusal.message }
}

/** Throws what the one letter was refused with. */
function settled (outcome: RetryOutcome | undefined): Exclude<RetryOutcome, { refusal: MillraceError }> {
  if (outcome === undefined) throw new MillraceError('internal', 'A retry without an outcome')
  if ('refusal' in outcome) throw outcome.refusal
  return outcome
}
