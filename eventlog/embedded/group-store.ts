/**
 * Consumer groups in an LMDB environment of their own, so that a paused processor cannot hold up ingest:
 *
 *     ['member', group, id]                -> { topics, stampMs }
 *     ['lease', group, topic, partition]   -> { owner, generation }
 *     ['commit', group, topic, partition]  -> { offset, metadata }
 *
 * A member is alive while its stamp is younger than the session timeout; a lease holds while its owner lives.
 * Taking a partition raises its generation, and every commit checks owner and generation in its own
 * transaction: that is the fence. Stamps are CLOCK_MONOTONIC, which all processes of one boot share; a stamp
 * further from now than the timeout, in either direction (an earlier boot), is dead.
 */
import { FencedError } from '../event-log.ts'
import type { Environment } from './environment.ts'

export type GroupKey = Array<string | number>

export interface GroupStoreOptions {
  environment: Environment<unknown, GroupKey>
  sessionTimeoutMs: number
  /** CLOCK_MONOTONIC in milliseconds. */
  monotonicMs: () => number
}

export interface TopicPartition {
  topic: string
  partition: number
}

/** A partition that a member was given; `generation` is what its commits are checked against. */
export interface Lease extends TopicPartition {
  group: string
  owner: string
  generation: number
}

export interface Commit {
  offset: number
  metadata: string
}

interface MemberState {
  topics: string[]
  stampMs: number
}

interface LeaseState {
  owner: string | null
  generation: number
}

export interface Heartbeat {
  group: string
  member: string
  /** Topics that the member consumes, with their number of partitions. */
  topics: ReadonlyMap<string, number>
  /** Leases that the member works under. */
  held: readonly Lease[]
  /** Whether the member would take this partition now. */
  wants: (partition: TopicPartition) => boolean
}

export interface HeartbeatAnswer {
  taken: Array<{ lease: Lease, commit: Commit | undefined }>
  /** Of `held`: no longer the member's own, someone else was given the partition. */
  lost: Lease[]
  /** Of `held`: still the member's own, but another member should have it. */
  surplus: Lease[]
}

export class GroupStore {
  readonly #options: GroupStoreOptions
  readonly #environment: Environment<unknown, GroupKey>

  constructor (options: GroupStoreOptions) {
    this.#options = options
    this.#environment = options.environment
  }

  committed (group: string, topic: string, partition: number): Commit | undefined {
    return this.#environment.fresh().get(['commit', group, topic, partition]) as Commit | undefined
  }

  /** Throws FencedError, changing nothing, unless the lease still is the newest and not given back. */
  async commit (lease: Lease, { offset, metadata }: Commit): Promise<void> {
    await this.#environment.write(() => {
      if (!this.#holds(lease)) {
        throw new FencedError(`Partition ${lease.topic}/${lease.partition} was given to another member`)
      }
      const key = ['commit', lease.group, lease.topic, lease.partition]
      this.#environment.database.putSync(key, { offset, metadata })
    })
  }

  /** Says that the member is alive, and takes what is due to it. One transaction. */
  async heartbeat (heartbeat: Heartbeat): Promise<HeartbeatAnswer> {
    return await this.#environment.write(() => {
      const { group, member, topics, held, wants } = heartbeat
      const state: MemberState = { topics: [...topics.keys()], stampMs: this.#options.monotonicMs() }
      this.#environment.database.putSync(['member', group, member], state)
      const members = this.#aliveMembers(group)
      const answer: HeartbeatAnswer = { taken: [], lost: [], surplus: [] }
      for (const lease of held) {
        if (!this.#holds(lease)) answer.lost.push(lease)
        else if (shareholder(members, lease) !== member) answer.surplus.push(lease)
      }
      for (const due of partitionsOf(topics)) {
        if (shareholder(members, due) !== member || !wants(due)) continue
        const lease = this.#take(group, member, due, members)
        if (lease !== undefined) answer.taken.push({ lease, commit: this.#commitOf(lease) })
      }
      return answer
    })
  }

  /** Gives a partition back, if it still is the member's own. */
  async release (leases: readonly Lease[]): Promise<void> {
    await this.#environment.write(() => this.#release(leases))
  }

  /** Gives everything back and leaves the group. */
  async leave (group: string, member: string, leases: readonly Lease[]): Promise<void> {
    await this.#environment.write(() => {
      this.#release(leases)
      this.#environment.database.removeSync(['member', group, member])
    })
  }

  /** The members that are alive; forgets the dead ones. */
  #aliveMembers (group: string): Map<string, MemberState> {
    const now = this.#options.monotonicMs()
    const { database } = this.#environment
    const alive = new Map<string, MemberState>()
    const entries = [...database.getRange({ start: ['member', group, ''], end: ['member', group, '\uffff'] })]
    for (const { key, value } of entries) {
      const state = value as MemberState
      if (Math.abs(now - state.stampMs) > this.#options.sessionTimeoutMs) database.removeSync(key)
      else alive.set(key[2] as string, state)
    }
    return alive
  }

  #take (
    group: string, member: string, due: TopicPartition, alive: ReadonlyMap<string, MemberState>
  ): Lease | undefined {
    const key = ['lease', group, due.topic, due.partition]
    const { database } = this.#environment
    const current = database.get(key) as LeaseState | undefined ?? { owner: null, generation: 0 }
    const free = current.owner === null || current.owner === member || !alive.has(current.owner)
    if (!free) return undefined
    const generation = current.generation + 1
    const taken: LeaseState = { owner: member, generation }
    database.putSync(key, taken)
    return { ...due, group, owner: member, generation }
  }

  #release (leases: readonly Lease[]): void {
    for (const lease of leases) {
      if (!this.#holds(lease)) continue
      const released: LeaseState = { owner: null, generation: lease.generation }
      this.#environment.database.putSync(['lease', lease.group, lease.topic, lease.partition], released)
    }
  }

  #holds ({ group, topic, partition, owner, generation }: Lease): boolean {
    const state = this.#environment.database.get(['lease', group, topic, partition]) as LeaseState | undefined
    return state !== undefined && state.owner === owner && state.generation === generation
  }

  #commitOf ({ group, topic, partition }: Lease): Commit | undefined {
    return this.#environment.database.get(['commit', group, topic, partition]) as Commit | undefined
  }
}

/** Which member should have a partition: those that consume its topic take turns, in order of their ids. */
function shareholder (
  members: ReadonlyMap<string, MemberState>, { topic, partition }: TopicPartition
): string | undefined {
  const ids = [...members].filter(([, { topics }]) => topics.includes(topic)).map(([id]) => id).sort()
  return ids[partition % ids.length]
}

function * partitionsOf (topics: ReadonlyMap<string, number>): Generator<TopicPartition> {
  for (const [topic, partitions] of topics) {
    for (let partition = 0; partition < partitions; partition++) yield { topic, partition }
  }
}
