/**
 * Sends dead letters into the log once more. What it guarantees: a letter's event is stored at most once, and
 * a letter that is marked as retried has its event in the log.
 *
 * An attempt is noted before the append, and its place after it. The event is named after its letter and goes
 * to the partition that the letter was in, so of attempts in a row or at once, by whatever process and for
 * whatever subject, the owner of that partition stores the first. Where an attempt was noted and its place
 * was not, nobody knows whether the event reached the log: it is looked for in the raw table before it is
 * sent again, and then arrives when the first attempt did, so that it is not too late to be taken for a copy.
 *
 * Within a process a letter is retried by one call at a time. Of two processes each looks, once its place is
 * noted, whether the other one's comes before it, and then refuses. Where what was appended first is noted
 * after the other one has looked, both say that they have retried it; its event is stored once.
 */
import { randomUUID } from 'node:crypto'
import { MillraceError, createDecoder, createEncoder, streams } from '../contract/index.ts'
import { compileValidator } from '../http/index.ts'
import { decodeLetter, retryEventId } from './dead-letter.ts'
import type { RecordDecoder, RecordEncoder, Row, SchemaRegistry, Stream } from '../contract/index.ts'
import type { AppendRecord, EventLog } from '../eventlog/index.ts'
import type { DeadLetter, DecodedLetter } from './dead-letter.ts'
import type { DeadLetterStore, RetriedPlace } from './store.ts'

/** Records of one append: letters are retried by hand, and far below what brokers take at once. */
const APPEND_BYTES_MAX = 512 * 1024
/** An attempt that is older has long been stored, or is not in the log. */
const ATTEMPT_AGE_MS_MAX = 86_400_000
const SENT_BEFORE = 'Another retry of it reached the log first: its event is stored, and this one is its copy'

export interface RetrierOptions {
  store: DeadLetterStore
  eventLog: Pick<EventLog, 'append'>
  schemaRegistry: SchemaRegistry | undefined
  /** How long the log keeps records after their arrival. */
  logRetentionMs: number
  /** Epoch milliseconds. */
  now: () => number
}

export interface RetryRequest {
  tenant: string
  ids: readonly string[]
  /** The event to send instead of what the letter holds. */
  correction?: unknown
  /** True: find out what would be sent, and send nothing. */
  dryRun: boolean
}

/** What became of one letter; a refusal concerns this letter alone. */
export type RetryOutcome =
  | { id: string, letter: DeadLetter, event: Row, place: RetriedPlace | undefined }
  | { id: string, refusal: MillraceError }

interface Prepared {
  letter: DeadLetter
  stream: Stream
  event: Row
  record: AppendRecord
}

export class Retrier {
  readonly #options: RetrierOptions
  readonly #decoders = new Map<string, RecordDecoder<Row>>()
  readonly #encoders = new Map<string, Promise<RecordEncoder<Row>>>()
  readonly #busy = new Set<string>()

  constructor (options: RetrierOptions) {
    this.#options = options
  }

  /** A letter's bytes, as far as they can be read today. Rejects with MillraceError. */
  async decode (letter: DeadLetter): Promise<DecodedLetter> {
    const stream = streamOf(letter)
    const decoder = this.#decoders.get(stream.name) ?? createDecoder(stream, this.#options.schemaRegistry)
    this.#decoders.set(stream.name, decoder)
    return await decodeLetter(stream, decoder, letter).catch((cause: unknown) => {
      throw new MillraceError('storage_unavailable', 'The schema registry did not answer', { cause })
    })
  }

  /**
   * Retries letters, each for itself. Rejects with MillraceError `log_unavailable` or `storage_unavailable`,
   * after which the same call may be repeated.
   */
  async retry ({ ids, ...request }: RetryRequest): Promise<RetryOutcome[]> {
    const own = ids.filter((id) => !this.#busy.has(id))
    const refusals = ids.filter((id) => this.#busy.has(id)).map((id) => {
      return { id, refusal: retriedAlready('It is being retried now') }
    })
    for (const id of own) this.#busy.add(id)
    try {
      return [...await this.#retryOwn({ ids: own, ...request }), ...refusals]
    } finally {
      for (const id of own) this.#busy.delete(id)
    }
  }

  /** Looks at the letters only now that nobody else in this process may retry them. */
  async #retryOwn ({ tenant, ids, correction, dryRun }: RetryRequest): Promise<RetryOutcome[]> {
    const letters = await this.#options.store.find(tenant, ids)
    const found = new Set(letters.map(({ id }) => id))
    const refusals: RetryOutcome[] = ids.filter((id) => !found.has(id)).map((id) => {
      return { id, refusal: new MillraceError('dead_letter_not_found', 'No dead letter has this id') }
    })
    const prepared: Prepared[] = []
    // One instant, so that an attempt is not noted as later than its event arrives.
    const atMs = this.#options.now()
    for (const letter of await this.#unsettled(letters, refusals)) {
      try {
        prepared.push(await this.#prepare(letter, correction, atMs))
      } catch (error) {
        if (!(error instanceof MillraceError) || error.status >= 500) throw error
        refusals.push({ id: letter.id, refusal: error })
      }
    }
    const corrected = correction !== undefined
    const places = dryRun ? undefined : await this.#send(prepared, { atMs, corrected })
    const outcomes = prepared.map(({ letter, event }): RetryOutcome => {
      const { id } = letter
      const place = places?.get(id)
      const isCopy = places !== undefined && place === undefined
      return isCopy ? { id, refusal: retriedAlready(SENT_BEFORE) } : { id, letter, event, place }
    })
    return [...outcomes, ...refusals]
  }

  /** The letters whose event is not in the log, as far as anybody can tell. */
  async #unsettled (letters: readonly DeadLetter[], refusals: RetryOutcome[]): Promise<DeadLetter[]> {
    const { store } = this.#options
    const settled = new Set<string>()
    for (const { id, state } of letters) {
      if (state === 'retried') settled.add(id)
    }
    const unsure = Map.groupBy(letters.filter(({ state }) => state === 'retrying'), ({ stream }) => stream)
    for (const tried of unsure.values()) {
      const found = await store.findStored(streamOf(tried[0] as DeadLetter), tried)
      if (found.length > 0) await store.noteRetried(found, randomUUID())
      for (const { id } of found) settled.add(id)
    }
    for (const id of settled) refusals.push({ id, refusal: retriedAlready('It was retried before') })
    return letters.filter(({ id }) => !settled.has(id))
  }

  async #prepare (letter: DeadLetter, correction: unknown, atMs: number): Promise<Prepared> {
    const stream = streamOf(letter)
    const { tenant } = letter
    const envelope = { tenant, eventId: retryEventId(letter), eventIdOrigin: 'HEADER' as const }
    const { event, record } = correction === undefined
      ? await this.#original(letter)
      : { event: validEvent(stream, correction), record: undefined }
    const named = record === undefined
      ? stream.toRecord(event, envelope)
      : { ...record, event_id: envelope.eventId, event_id_origin: envelope.eventIdOrigin, tenant }
    const value = (await this.#encoderOf(stream)).encode(named)
    const key = stream.recordKey(event, tenant)
    const { attemptedAtMs = atMs } = letter
    // A record that arrived longer ago may be deleted by the log's retention before it is read.
    const ageMsMax = Math.min(ATTEMPT_AGE_MS_MAX, this.#options.logRetentionMs / 2)
    const timestampMs = atMs - attemptedAtMs > ageMsMax ? atMs : attemptedAtMs
    return { letter, stream, event, record: { key, value, timestampMs, partition: letter.partition } }
  }

  async #original (letter: DeadLetter): Promise<{ event: Row, record: Row }> {
    const { event, record, fault } = await this.decode(letter)
    if (event !== undefined && record !== undefined) return { event, record }
    throw new MillraceError('dead_letter_undecodable', `Send the event that it should have been: ${fault ?? ''}`)
  }

  /** By letter: the place of its event in the log; none where another process' retry of it comes before. */
  async #send (
    prepared: readonly Prepared[], { atMs, corrected }: { atMs: number, corrected: boolean }
  ): Promise<Map<string, RetriedPlace>> {
    const places = new Map<string, RetriedPlace>()
    for (const chunk of chunksOf(prepared)) {
      const token = randomUUID()
      const ids = chunk.map(({ letter }) => letter.id)
      await this.#options.store.noteAttempts(ids, { token, atMs })
      const found = await this.#append(chunk, corrected)
      await this.#options.store.noteRetried(found, `${token}-retried`)
      for (const place of await this.#options.store.firstOf(found)) places.set(place.id, place)
    }
    return places
  }

  async #append (chunk: readonly Prepared[], corrected: boolean): Promise<RetriedPlace[]> {
    const { topic } = (chunk[0] as Prepared).stream
    try {
      const locations = await this.#options.eventLog.append(topic, chunk.map(({ record }) => record))
      return chunk.map(({ letter, record }, index) => {
        const { partition, offset } = locations[index] as { partition: number, offset: number }
        return { id: letter.id, topic, partition, offset, atMs: record.timestampMs, corrected }
      })
    } catch (cause) {
      throw new MillraceError('log_unavailable', 'The log did not confirm the retry', { cause })
    }
  }

  #encoderOf (stream: Stream): Promise<RecordEncoder<Row>> {
    const known = this.#encoders.get(stream.name)
    if (known !== undefined) return known
    const encoder = createEncoder(stream, this.#options.schemaRegistry).catch((cause: unknown) => {
      this.#encoders.delete(stream.name)
      throw new MillraceError('storage_unavailable', 'The schema registry did not answer', { cause })
    })
    this.#encoders.set(stream.name, encoder)
    return encoder
  }
}

/** Runs of letters of one stream, each small enough for one append. */
function chunksOf (prepared: readonly Prepared[]): Prepared[][] {
  const chunks: Prepared[][] = []
  let bytes = 0
  for (const each of prepared) {
    const size = each.record.key.length + each.record.value.length
    const current = chunks.at(-1)
    if (current === undefined || current[0]?.stream !== each.stream || bytes + size > APPEND_BYTES_MAX) {
      chunks.push([each])
      bytes = size
    } else {
      current.push(each)
      bytes += size
    }
  }
  return chunks
}

function streamOf (letter: DeadLetter): Stream {
  const stream = streams.find(({ name }) => name === letter.stream)
  if (stream === undefined) throw new MillraceError('dead_letter_not_found', `There is no stream ${letter.stream}`)
  return stream
}

/** Throws MillraceError with the first fault. */
function validEvent (stream: Stream, event: unknown): Row {
  const fault = compileValidator(stream.eventSchema)(event)
  if (fault === undefined) return event as Row
  throw new MillraceError(fault.code, `${fault.path}: ${fault.message}`, { faults: [fault] })
}

function retriedAlready (detail: string): MillraceError {
  return new MillraceError('already_retried', detail)
}
