/**
 * One member of a consumer group, for ever: joins, hands every partition that it got to `onPartition`, keeps
 * the membership by heartbeats (which no session can hold up), and joins again after each rebalance or fault.
 *
 * Guarantee: a commit carries the generation of its session, so the coordinator refuses it once another
 * generation exists; and a session starts only after the coordinator has answered for all earlier ones and
 * after the partition's earlier session in this process has settled.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { FencedError, LogUnavailableError } from '../event-log.ts'
import { PartitionFetcher } from './partition-fetcher.ts'
import { PartitionReader } from './partition-reader.ts'
import { within } from './errors.ts'
import type { Cluster } from './cluster.ts'
import type { CommittedPosition, Generation, GroupMembership } from './group-membership.ts'
import type { ConsumeOptions, Consumer, PartitionSession } from '../event-log.ts'
import type { Limits } from './settings.ts'

const HEARTBEATS_A_SESSION = 5
const HEARTBEAT_MS_MAX = 1000
const FAULT_PAUSE_MS_MIN = 100
const FAULT_PAUSE_MS_MAX = 5000

/** A generation that this process still holds, as far as it knows: `lost` aborts when it does no longer. */
interface Holding {
  generation: Generation
  lost: AbortController
}

export class GroupConsumer implements Consumer {
  readonly #cluster: Cluster
  readonly #membership: GroupMembership
  readonly #fetcher: PartitionFetcher
  readonly #options: ConsumeOptions
  readonly #limits: Limits
  readonly #stopping = new AbortController()
  /** The sessions that run now, by `topic/partition`. */
  readonly #sessions = new Map<string, PartitionSession>()
  /** Of every partition, the end of what was last started for it. */
  readonly #settled = new Map<string, Promise<void>>()
  readonly #loop: Promise<void>
  #holding: Holding | undefined

  constructor ({ cluster, membership, options, limits }: {
    cluster: Cluster, membership: GroupMembership, options: ConsumeOptions, limits: Limits
  }) {
    this.#cluster = cluster
    this.#membership = membership
    this.#options = options
    this.#limits = limits
    this.#fetcher = new PartitionFetcher({ cluster, onError: options.onError })
    this.#loop = this.#run()
  }

  assignments (): Array<{ topic: string, partition: number }> {
    return [...this.#sessions.values()].map(({ topic, partition }) => ({ topic, partition }))
  }

  /** Heartbeats go on until the sessions have settled, so that they can commit what they finish. */
  async stop (): Promise<void> {
    this.#stopping.abort(new FencedError('The consumer is stopping'))
    await Promise.all(this.#settled.values())
    this.#holding?.lost.abort(this.#stopping.signal.reason)
    // A join waits for the other members: the group then misses this one after the session timeout.
    await within(this.#limits.sessionTimeoutMs, 'stop', this.#loop).catch(() => {})
    this.#fetcher.close()
    await this.#membership.leave().catch((error: unknown) => {
      this.#limits.log.debug({ error }, 'could not leave the group')
    })
    await this.#disconnect()
  }

  /** kafkajs keeps a connection whose requests time out, even a dead one: the next join gets new ones. */
  async #disconnect (): Promise<void> {
    if (!this.#cluster.isConnected()) return
    await within(this.#limits.requestMsMax, 'disconnect', this.#cluster.disconnect()).catch(() => {})
  }

  async #run (): Promise<void> {
    for (let faults = 0; !this.#stopping.signal.aborted;) {
      try {
        const generation = await this.#membership.join()
        const positions = await this.#membership.committed(generation.partitions)
        faults = 0
        await this.#hold(generation, positions)
      } catch (error) {
        faults += 1
        // A rebalance within a rebalance is no fault.
        if (!(error instanceof FencedError)) {
          this.#options.onError(error)
          await this.#disconnect()
        }
        await pause(faultPauseMs(faults), this.#stopping.signal)
      }
    }
  }

  /** Serves the partitions and sends heartbeats until the generation is lost. */
  async #hold (generation: Generation, positions: readonly CommittedPosition[]): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { sessionTimeoutMs } = this.#limits
    const lost = new AbortController()
    const holding = this.#holding = { generation, lost }
    let heardAt = performance.now()
    for (const position of positions) this.#begin(holding, position)
    while (!lost.signal.aborted) {
      await pause(Math.min(HEARTBEAT_MS_MAX, sessionTimeoutMs / HEARTBEATS_A_SESSION), lost.signal)
      if (lost.signal.aborted) return
      const sentAt = performance.now()
      const left = heardAt + sessionTimeoutMs - sentAt
      if (left <= 0) {
        lost.abort(new FencedError('No heartbeat was answered within the session timeout'))
        throw new LogUnavailableError('No heartbeat was answered within the session timeout')
      }
      try {
        await within(left, 'heartbeat', this.#membership.heartbeat(generation))
        heardAt = sentAt
      } catch (error) {
        if (error instanceof FencedError) lost.abort(error)
        else this.#options.onError(error)
      }
    }
  }

  #begin (holding: Holding, position: CommittedPosition): void {
    const key = `${position.topic}/${position.partition}`
    const earlier = this.#settled.get(key) ?? Promise.resolve()
    this.#settled.set(key, earlier.then(async () => await this.#serve(holding, position)))
  }

  /** Hands a partition out, again after every session that ended by itself, until the generation is lost. */
  async #serve (holding: Holding, first: CommittedPosition): Promise<void> {
    const over = AbortSignal.any([holding.lost.signal, this.#stopping.signal])
    let position: CommittedPosition | undefined = first
    for (let faults = 0; !over.aborted;) {
      try {
        position ??= (await this.#membership.committed([first]))[0] ?? first
        await this.#serveOnce(holding, position, over)
      } catch (error) {
        if (!(error instanceof FencedError && over.aborted)) this.#options.onError(error)
      }
      position = undefined
      await pause(faultPauseMs(faults += 1), over)
    }
  }

  async #serveOnce (holding: Holding, position: CommittedPosition, over: AbortSignal): Promise<void> {
    const { topic, partition, offset, metadata } = position
    const key = `${topic}/${partition}`
    const reader = new PartitionReader({
      place: { topic, partition }, wake: this.#fetcher.wake, answerMsMax: this.#limits.requestMsMax
    })
    const end = (): void => reader.end(new FencedError(`The session of ${key} is over`))
    let settled = false
    const session: PartitionSession = {
      topic,
      partition,
      committed: { offset, metadata },
      signal: over,
      read: async (options) => await reader.read(options),
      commit: async (commit) => {
        if (settled) throw new FencedError(`The session of ${key} is over`)
        await this.#commit(holding, { topic, partition, ...commit })
      }
    }
    over.addEventListener('abort', end, { once: true })
    if (over.aborted) return
    this.#fetcher.add(reader)
    this.#sessions.set(key, session)
    try {
      await this.#options.onPartition(session)
    } finally {
      settled = true
      over.removeEventListener('abort', end)
      end()
      this.#fetcher.remove(reader)
      this.#sessions.delete(key)
    }
  }

  async #commit ({ generation, lost }: Holding, position: CommittedPosition): Promise<void> {
    lost.signal.throwIfAborted()
    try {
      await this.#membership.commit(generation, position)
    } catch (error) {
      if (error instanceof FencedError) lost.abort(error)
      throw error
    }
  }
}

function faultPauseMs (faults: number): number {
  return Math.min(FAULT_PAUSE_MS_MIN * 2 ** (faults - 1), FAULT_PAUSE_MS_MAX)
}

/** Resolves after `ms`, or at once when the signal aborts. */
async function pause (ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {})
}
