/**
 * A log that goes on taking appends for a while when its brokers are away: it keeps them on the local disk,
 * and forwards them when a broker answers again.
 *
 * What it guarantees: an append that resolved is durable, in the log or in the spool; what is in the spool is
 * appended before anything that came later, so each key keeps its order. An append of which the log's outcome
 * is unknown is not spooled, it fails as it does without a spool: its caller cannot be told "once". A forward
 * of which the outcome is unknown is repeated, and its records carry a mark, so that the processors drop the
 * copies.
 *
 * A topic is `direct` until an append fails or stays unconfirmed for `awayAfterMs`; from then on its appends
 * go to the spool, until the spool has been forwarded to its end.
 */
import pRetry from 'p-retry'
import { LogUnavailableError, RecordTooLargeError } from '../event-log.ts'
import { SpoolStore } from './spool-store.ts'
import type { AppendRecord, EventLog, TopicSpec } from '../event-log.ts'
import type { SpoolContent } from './spool-store.ts'

/** Bounds of one forward: what brokers take in one batch by default, and less than one request holds. */
const FORWARD_RECORDS_MAX = 1_000
const FORWARD_BYTES_MAX = 896 * 1024
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 2_000

export interface SpoolOptions {
  log: Pick<EventLog, 'append' | 'checkAppend' | 'createTopics'>
  /** Where the spool lies. */
  directory: string
  /**
   * Bytes on disk, those of the records that the log refused among them; when it is full, appends throw
   * LogUnavailableError. Forwarding goes on.
   */
  bytesMax: number
  /** Key and value of one record; the log's own bound, which the spool has to keep while it is away. */
  recordBytesMax: number
  /** An append that is not confirmed within this many milliseconds fails, and the broker counts as away. */
  awayAfterMs: number
  /** The same record with the mark that it was spooled. */
  mark: (topic: string, record: AppendRecord) => AppendRecord
  /** Wall clock, epoch milliseconds: that of the records' arrival. */
  now: () => number
  logger: SpoolLogger
}

/** The slice of pino's interface that is used here. */
export interface SpoolLogger {
  info: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
}

/** What a topic's spool is doing. */
export interface SpoolState extends SpoolContent {
  topic: string
  /** Appends go to the spool now. */
  spooling: boolean
  /** Records that were forwarded since the process began. */
  forwarded: number
  /** Those of them that the log found too large. */
  refused: number
}

interface Topic {
  spooling: boolean
  /** Puts that are not durable yet. */
  putting: Set<Promise<void>>
  forwarded: number
  refused: number
  forwarding: Promise<void>
}

export class SpoolingLog {
  readonly #options: SpoolOptions
  readonly #log: SpoolOptions['log']
  readonly #store: SpoolStore
  readonly #topics = new Map<string, Topic>()
  readonly #closing = new AbortController()
  #toCreate: readonly TopicSpec[] | undefined

  /** Opens the spool; what an earlier process left in it is forwarded from now on. */
  constructor (options: SpoolOptions) {
    this.#options = options
    this.#log = options.log
    this.#store = new SpoolStore(options)
    for (const topic of this.#store.topics) this.#turnAway(topic, new Error('an earlier process left it'))
  }

  /** Topics that cannot be created now are created before anything is forwarded. */
  async createTopics (topics: readonly TopicSpec[]): Promise<void> {
    try {
      await this.#log.createTopics(topics)
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error
      this.#toCreate = topics
      for (const { name } of topics) this.#turnAway(name, error)
    }
  }

  /**
   * Resolves when the records are durable, in the log or in the spool. Throws as the log does;
   * LogUnavailableError also where the spool is full, or its disk does not take them.
   */
  async append (topic: string, records: readonly AppendRecord[]): Promise<void> {
    if (this.#topic(topic).spooling) await this.#spool(topic, records)
    else await this.#appendDirectly(topic, records)
  }

  /** Resolves when the log or the spool takes an append. */
  async checkAppend (topic: string): Promise<void> {
    try {
      await this.#log.checkAppend(topic)
    } catch (error) {
      if (!(error instanceof LogUnavailableError) || this.#store.isFull) throw error
      this.#turnAway(topic, error)
    }
  }

  /** Of every topic that was used. */
  states (): SpoolState[] {
    return [...this.#topics].map(([topic, { spooling, forwarded, refused }]) => {
      return { topic, spooling, forwarded, refused, ...this.#store.content(topic) }
    })
  }

  /** Whether records that were taken wait here. What does not wait any more has been appended to the log. */
  hasSpooled (topic: string): boolean {
    return !this.#store.isEmpty(topic)
  }

  /** Bytes on disk of the records that the log refused, of every process that forwarded here. */
  get refusedBytes (): number {
    return this.#store.refused.bytes
  }

  /** Stops forwarding; what waits stays for the next process. The caller closes the log, after this. */
  async close (): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#topics.values()].map(({ forwarding }) => forwarding))
    await this.#store.close()
  }

  #topic (name: string): Topic {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = { spooling: false, putting: new Set(), forwarded: 0, refused: 0, forwarding: Promise.resolve() }
      this.#topics.set(name, topic)
    }
    return topic
  }

  async #appendDirectly (topic: string, records: readonly AppendRecord[]): Promise<void> {
    const { awayAfterMs } = this.#options
    const appended = this.#log.append(topic, records)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      late.reject(new LogUnavailableError(`The log did not confirm within ${awayAfterMs} ms`))
    }, awayAfterMs)
    try {
      await Promise.race([appended, late.promise])
    } catch (error) {
      appended.catch(() => {})
      if (error instanceof LogUnavailableError) this.#turnAway(topic, error)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async #spool (name: string, records: readonly AppendRecord[]): Promise<void> {
    const { putting } = this.#topic(name)
    const { mark, recordBytesMax } = this.#options
    const marked = records.map((record) => mark(name, record))
    const large = marked.find(({ key, value }) => key.length + value.length > recordBytesMax)
    if (large !== undefined) throw new RecordTooLargeError(`A record of more than ${recordBytesMax} bytes`)
    const put = this.#store.put(name, marked)
    putting.add(put)
    try {
      await put
    } finally {
      putting.delete(put)
    }
  }

  /** From now on the topic is spooled, and its spool forwarded as soon as the log answers. */
  #turnAway (name: string, error: Error): void {
    const topic = this.#topic(name)
    if (topic.spooling || this.#closing.signal.aborted) return
    topic.spooling = true
    this.#options.logger.warn({ topic: name, err: error }, 'events go to the spool')
    topic.forwarding = this.#forward(name, topic).catch((fault: unknown) => {
      if (!this.#closing.signal.aborted) this.#options.logger.warn({ topic: name, err: fault }, 'forwarding ended')
    })
  }

  /** Forwards until nothing waits, then lets appends go to the log again. Rejects when closing. */
  async #forward (name: string, topic: Topic): Promise<void> {
    await this.#persist(name, async () => {
      if (this.#toCreate !== undefined) await this.#log.createTopics(this.#toCreate)
      await this.#log.checkAppend(name)
    })
    const bounds = { recordsMax: FORWARD_RECORDS_MAX, bytesMax: FORWARD_BYTES_MAX }
    while (true) {
      const oldest = await this.#persist(name, async () => this.#store.oldest(name, bounds))
      if (oldest !== undefined) {
        const records = this.#notAhead(oldest.records)
        await this.#forwardRecords(name, records)
        await this.#persist(name, () => this.#store.remove(name, oldest.sequences))
        topic.forwarded += oldest.records.length
      } else if (topic.putting.size > 0) {
        await Promise.allSettled(topic.putting)
      } else {
        break
      }
    }
    topic.spooling = false
    this.#options.logger.info({ topic: name, forwarded: topic.forwarded }, 'events go to the log again')
  }

  /**
   * Appends the records in order, those of a batch that the brokers find too large half by half. One record
   * that they find too large alone would hold up the others for ever: it becomes a dead letter.
   */
  async #forwardRecords (name: string, records: readonly AppendRecord[]): Promise<void> {
    const refusal = await this.#persist(name, () => this.#tryAppend(name, records))
    if (refusal === undefined) return
    const [first] = records as [AppendRecord]
    if (records.length === 1) {
      const { refused } = this.#store
      const deadLetter = await this.#persist(name, () => refused.keep(name, first, refusal.message))
      this.#options.logger.warn({ topic: name, err: refusal }, 'the log refuses a spooled event: it becomes a dead letter')
      await this.#persist(name, () => this.#log.append(name, [deadLetter]))
      this.#topic(name).refused++
      return
    }
    const middle = Math.ceil(records.length / 2)
    await this.#forwardRecords(name, records.slice(0, middle))
    await this.#forwardRecords(name, records.slice(middle))
  }

  /** What the log refused the records with; then it has stored none of them. */
  async #tryAppend (
    name: string, records: readonly AppendRecord[]
  ): Promise<RecordTooLargeError | undefined> {
    try {
      await this.#log.append(name, records)
    } catch (error) {
      if (error instanceof RecordTooLargeError) return error
      throw error
    }
  }

  /**
   * Nothing arrived later than now. Kafka refuses records that are more than an hour ahead of its own clock:
   * those that were spooled while this machine's clock ran ahead would hold up all that came after them.
   */
  #notAhead (records: readonly AppendRecord[]): AppendRecord[] {
    const nowMs = this.#options.now()
    return records.map((record) => ({ ...record, timestampMs: Math.min(record.timestampMs, nowMs) }))
  }

  /** Repeats a call until it succeeds or the log closes. */
  async #persist<T> (name: string, call: () => Promise<T>): Promise<T> {
    return await pRetry(call, {
      retries: Infinity,
      minTimeout: RETRY_MS_MIN,
      maxTimeout: RETRY_MS_MAX,
      randomize: true,
      signal: this.#closing.signal,
      onFailedAttempt: ({ error, attemptNumber }) => {
        this.#options.logger.warn({ topic: name, attempt: attemptNumber, err: error }, 'the spool cannot be forwarded')
      }
    })
  }
}
