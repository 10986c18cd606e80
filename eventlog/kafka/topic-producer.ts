/**
 * Appends to one topic, one request after another, through an idempotent producer.
 *
 * One in flight is a matter of correctness: kafkajs takes a failed request's sequence numbers back, and a
 * second request that took them meanwhile would be acknowledged as a duplicate of the first without being
 * stored. Within one request its retries are safe. After a failure the producer is thrown away, and with it
 * the sequence numbers.
 */
import { CompressionTypes, Partitioners } from 'kafkajs'
import type { Kafka, Message, PartitionerArgs, Producer, RecordMetadata } from 'kafkajs'
import { LogUnavailableError, RecordTooLargeError } from '../event-log.ts'
import { toLogError, within } from './errors.ts'
import type { AppendRecord, RecordLocation } from '../event-log.ts'
import type { Limits } from './settings.ts'

/** Appends that wait for their turn; more are refused at once. */
const WAITING_APPENDS_MAX = 1000
/** A request holds one batch a partition, and a batch must fit into the topic's max.message.bytes. */
const REQUEST_RECORDS_MAX = 1000
/** Batch header (61 bytes), and at most this much a record beside key and value. */
const BATCH_OVERHEAD_BYTES = 61
const RECORD_OVERHEAD_BYTES = 40

export class TopicProducer {
  readonly #kafka: Kafka
  readonly #topic: string
  readonly #limits: Limits
  /** Where the partitioner put each message. */
  readonly #partitions = new WeakMap<Message, number>()
  #producer: Promise<Producer> | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor ({ kafka, topic, limits }: { kafka: Kafka, topic: string, limits: Limits }) {
    this.#kafka = kafka
    this.#topic = topic
    this.#limits = limits
  }

  /** Throws within `appendMsMax`: LogUnavailableError, RecordTooLargeError. */
  async append (records: readonly AppendRecord[]): Promise<RecordLocation[]> {
    const requests = splitRequests(records, this.#limits.recordBytesMax)
    if (requests.length === 0) return []
    if (this.#waiting >= WAITING_APPENDS_MAX) throw new LogUnavailableError('Too many appends are waiting')
    const deadline = performance.now() + this.#limits.appendMsMax
    this.#waiting++
    const turn = this.#tail.then(async () => await this.#sendAll(requests, deadline))
    this.#tail = turn.catch(() => {})
    try {
      return await within(this.#limits.appendMsMax, `append to ${this.#topic}`, turn)
    } finally {
      this.#waiting--
    }
  }

  /** Connects, if that is not done. Throws LogUnavailableError within `appendMsMax`. */
  async check (): Promise<void> {
    const producer = this.#producer ??= this.#connect()
    try {
      await within(this.#limits.appendMsMax, `connect to append to ${this.#topic}`, producer)
    } catch (error) {
      if (this.#producer === producer) this.#discard()
      throw toLogError(error, `connect to append to ${this.#topic}`)
    }
  }

  async close (): Promise<void> {
    await this.#tail
    const producer = this.#producer
    this.#producer = undefined
    if (producer !== undefined) await disconnect(producer).catch(() => {})
  }

  async #sendAll (requests: AppendRecord[][], deadline: number): Promise<RecordLocation[]> {
    const locations: RecordLocation[] = []
    for (const request of requests) {
      const left = deadline - performance.now()
      if (left <= 0) throw new LogUnavailableError(`append to ${this.#topic}: not sent in time`)
      try {
        locations.push(...await within(left, `append to ${this.#topic}`, this.#send(request)))
      } catch (error) {
        this.#discard()
        throw toLogError(error, `append to ${this.#topic}`)
      }
    }
    return locations
  }

  async #send (records: readonly AppendRecord[]): Promise<RecordLocation[]> {
    this.#producer ??= this.#connect()
    const producer = await this.#producer
    const messages = records.map(({ key, value, timestampMs, partition }): Message => {
      const where = partition === undefined ? {} : { partition }
      return { key, value, timestamp: String(timestampMs), ...where }
    })
    const batches = await producer.send({
      topic: this.#topic,
      messages,
      acks: -1,
      timeout: this.#limits.requestMsMax,
      compression: this.#limits.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None
    })
    return toLocations(messages.map((message) => this.#partitions.get(message)), batches)
  }

  async #connect (): Promise<Producer> {
    const producer = this.#kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: () => {
        const partition = Partitioners.DefaultPartitioner()
        return (args: PartitionerArgs) => {
          const { partition: named, ...unnamed } = args.message
          const isThere = args.partitionMetadata.some(({ partitionId }) => partitionId === named)
          const chosen = partition(isThere ? args : { ...args, message: unnamed })
          this.#partitions.set(args.message, chosen)
          return chosen
        }
      }
    })
    await producer.connect()
    return producer
  }

  #discard (): void {
    const producer = this.#producer
    this.#producer = undefined
    if (producer !== undefined) disconnect(producer).catch(() => {})
  }
}

/** A producer that never connected, or lost its connection, has nothing left to close. */
async function disconnect (producer: Promise<Producer>): Promise<void> {
  await producer.then(async (connected) => await connected.disconnect(), () => {})
}

/**
 * The records in order, in as few requests as the limits allow. Throws RecordTooLargeError, before anything
 * is sent, where one record does not fit.
 */
function splitRequests (records: readonly AppendRecord[], recordBytesMax: number): AppendRecord[][] {
  const requestBytesMax = recordBytesMax + RECORD_OVERHEAD_BYTES + BATCH_OVERHEAD_BYTES
  const requests: AppendRecord[][] = []
  let request: AppendRecord[] = []
  let requestBytes = Infinity
  for (const record of records) {
    const bytes = record.key.length + record.value.length
    if (bytes > recordBytesMax) {
      throw new RecordTooLargeError(`A record of ${bytes} bytes: at most ${recordBytesMax} are taken`)
    }
    const full = requestBytes + bytes + RECORD_OVERHEAD_BYTES > requestBytesMax
    if (full || request.length >= REQUEST_RECORDS_MAX) {
      request = []
      requests.push(request)
      requestBytes = BATCH_OVERHEAD_BYTES
    }
    request.push(record)
    requestBytes += bytes + RECORD_OVERHEAD_BYTES
  }
  return requests
}

/** The broker tells each partition's first new offset; the records of a partition follow it in order. */
function toLocations (
  partitions: ReadonlyArray<number | undefined>, batches: readonly RecordMetadata[]
): RecordLocation[] {
  const next = new Map(batches.map(({ partition, baseOffset }) => [partition, Number(baseOffset ?? -1)]))
  return partitions.map((partition) => {
    const offset = partition === undefined ? undefined : next.get(partition)
    if (partition === undefined || offset === undefined || offset < 0) {
      throw new LogUnavailableError('The broker acknowledged records without their offset')
    }
    next.set(partition, offset + 1)
    return { partition, offset }
  })
}
