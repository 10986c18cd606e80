import { setTimeout as pause } from 'node:timers/promises'
import { beginOffsets } from './group-membership.ts'
import { byTopic } from './cluster.ts'
import { protocolError, toLogError, within } from './errors.ts'
import type { Broker, Cluster } from './cluster.ts'
import type { FetchWish, PartitionReader } from './partition-reader.ts'

const FETCH_BYTES_MAX = 16 * 1024 * 1024
const FAULT_PAUSE_MS = 250

/**
 * Fetches for all readers of a consumer: one request at a time to each broker, for every partition that it
 * leads and that wants records. Faults are reported, waited out and tried again, for ever.
 */
export class PartitionFetcher {
  readonly #cluster: Cluster
  readonly #onError: (error: unknown) => void
  readonly #readers = new Set<PartitionReader>()
  readonly #busy = new Set<string>()
  #closed = false

  constructor ({ cluster, onError }: { cluster: Cluster, onError: (error: unknown) => void }) {
    this.#cluster = cluster
    this.#onError = onError
  }

  add (reader: PartitionReader): void {
    this.#readers.add(reader)
  }

  remove (reader: PartitionReader): void {
    this.#readers.delete(reader)
  }

  close (): void {
    this.#closed = true
    this.#readers.clear()
  }

  /** Starts what can be fetched now; called whenever a reader's wishes change. */
  readonly wake = (): void => {
    if (this.#closed) return
    const wishes = [...this.#readers].map((reader) => reader.wish()).filter((wish) => wish !== undefined)
    for (const [nodeId, some] of Map.groupBy(wishes, (wish) => this.#leader(wish))) {
      if (!this.#busy.has(nodeId)) this.#fetch(nodeId, some).catch(this.#onError)
    }
  }

  async #fetch (nodeId: string, wishes: readonly FetchWish[]): Promise<void> {
    this.#busy.add(nodeId)
    for (const { reader } of wishes) reader.fetching()
    let broker: Broker | undefined
    try {
      await this.#cluster.refreshMetadataIfNecessary()
      broker = await this.#cluster.findBroker({ nodeId })
      const { responses } = await broker.fetch({
        maxWaitTime: Math.min(...wishes.map(({ maxWaitMs }) => maxWaitMs)),
        minBytes: Math.min(...wishes.map(({ minBytes }) => minBytes)),
        maxBytes: FETCH_BYTES_MAX,
        topics: byTopic(wishes.map(({ reader: { place }, offset, maxBytes }) =>
          ({ ...place, fetchOffset: String(offset), maxBytes })))
      })
      // kafkajs asks for one topic in several entries, so the answer may name it several times.
      for (const { topicName, partitions } of responses) {
        for (const { partition, messages } of partitions) {
          const wish = find(wishes, topicName, partition)
          wish?.reader.fetched(wish, messages)
        }
      }
    } catch (error) {
      await this.#recover(error, wishes, broker)
    }
    for (const { reader } of wishes) reader.failed()
    this.#busy.delete(nodeId)
    this.wake()
  }

  async #recover (error: unknown, wishes: readonly FetchWish[], broker: Broker | undefined): Promise<void> {
    try {
      if (protocolError(error) === 'OFFSET_OUT_OF_RANGE') {
        const { topic, partition } = error as { topic: string, partition: number }
        const begins = await beginOffsets(this.#cluster, [{ topic, partition }])
        const wish = find(wishes, topic, partition)
        wish?.reader.outOfRange(wish, begins({ topic, partition }))
        return
      }
      if (!this.#closed) this.#onError(toLogError(error, 'fetch'))
      // No answer: the connection may be dead, and kafkajs would keep it.
      if (protocolError(error) === '' && broker?.isConnected() === true) {
        await within(FAULT_PAUSE_MS, 'disconnect', broker.disconnect()).catch(() => {})
      }
      await pause(FAULT_PAUSE_MS)
      if (!this.#closed) await this.#cluster.refreshMetadata()
    } catch (fault) {
      if (!this.#closed) this.#onError(toLogError(fault, 'fetch'))
      await pause(FAULT_PAUSE_MS)
    }
  }

  /** The broker that leads the partition; '' where none is known, which fails and refreshes the metadata. */
  #leader ({ reader: { place: { topic, partition } } }: FetchWish): string {
    try {
      return Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))[0] ?? ''
    } catch {
      return ''
    }
  }
}

function find (wishes: readonly FetchWish[], topic: string, partition: number): FetchWish | undefined {
  return wishes.find(({ reader: { place } }) => place.topic === topic && place.partition === partition)
}
