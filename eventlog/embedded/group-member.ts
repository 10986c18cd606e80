/**
 * A member of a consumer group: beats at an interval, starts a session for each partition that it is given,
 * and gives a partition back only after its session has settled.
 */
import { randomUUID } from 'node:crypto'
import { EmbeddedSession } from './session.ts'
import { pause } from './pause.ts'
import type { ConsumeOptions, Consumer } from '../event-log.ts'
import type { Commit, GroupStore, HeartbeatAnswer, Lease, TopicPartition } from './group-store.ts'
import type { RecordStore } from './record-store.ts'

export interface GroupMemberOptions extends ConsumeOptions {
  records: RecordStore
  groups: GroupStore
  heartbeatMs: number
  pollMs: number
  /** Wait before a partition whose session failed is asked for again. */
  retryMs: number
  monotonicMs: () => number
}

interface RunningSession {
  lease: Lease
  abort: AbortController
  settled: Promise<void>
}

export class GroupMember implements Consumer {
  readonly #options: GroupMemberOptions
  readonly #id = randomUUID()
  readonly #topics: ReadonlyMap<string, number>
  readonly #running = new Map<string, RunningSession>()
  readonly #retryAtMs = new Map<string, number>()
  readonly #stopping = new AbortController()
  readonly #beating: Promise<void>
  #stopped: Promise<void> | undefined

  /** Joins at once. Throws UnknownTopicError. */
  constructor (options: GroupMemberOptions) {
    this.#options = options
    this.#topics = new Map(options.topics.map((topic) => [topic, options.records.topic(topic).partitions]))
    this.#beating = this.#beat()
  }

  assignments (): TopicPartition[] {
    return [...this.#running.values()].map(({ lease: { topic, partition } }) => ({ topic, partition }))
  }

  async stop (): Promise<void> {
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop (): Promise<void> {
    this.#stopping.abort()
    const sessions = [...this.#running.values()]
    for (const { abort } of sessions) abort.abort()
    await Promise.all([this.#beating, ...sessions.map(async ({ settled }) => await settled)])
    // What a beat under way took meanwhile has no session; leaving makes its lease free as well.
    try {
      await this.#options.groups.leave(this.#options.group, this.#id, sessions.map(({ lease }) => lease))
    } catch (error) {
      this.#options.onError(error)
    }
  }

  async #beat (): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        this.#apply(await this.#options.groups.heartbeat({
          group: this.#options.group,
          member: this.#id,
          topics: this.#topics,
          held: [...this.#running.values()].map(({ lease }) => lease),
          wants: (partition) => this.#wants(partition)
        }))
      } catch (error) {
        this.#options.onError(error)
      }
      await pause(this.#options.heartbeatMs, this.#stopping.signal)
    }
  }

  #wants (partition: TopicPartition): boolean {
    const name = nameOf(partition)
    if (this.#running.has(name) || this.#stopping.signal.aborted) return false
    return this.#options.monotonicMs() >= (this.#retryAtMs.get(name) ?? 0)
  }

  #apply ({ taken, lost, surplus }: HeartbeatAnswer): void {
    for (const lease of [...lost, ...surplus]) {
      const running = this.#running.get(nameOf(lease))
      if (running?.lease.generation === lease.generation) running.abort.abort()
    }
    if (this.#stopping.signal.aborted) return
    for (const { lease, commit } of taken) this.#start(lease, commit)
  }

  #start (lease: Lease, commit: Commit | undefined): void {
    const abort = new AbortController()
    const settled = this.#run(lease, commit, abort)
    this.#running.set(nameOf(lease), { lease, abort, settled })
  }

  /** Never rejects. */
  async #run (lease: Lease, commit: Commit | undefined, abort: AbortController): Promise<void> {
    const { records, groups, pollMs, retryMs, monotonicMs, onPartition, onError } = this.#options
    try {
      // The session begins after this one is registered as running.
      await Promise.resolve()
      const committed = commit ?? { offset: records.begin(lease.topic, lease.partition), metadata: '' }
      const { signal } = abort
      await onPartition(new EmbeddedSession({ lease, committed, signal, records, groups, pollMs }))
    } catch (error) {
      this.#retryAtMs.set(nameOf(lease), monotonicMs() + retryMs)
      onError(error)
    }
    abort.abort()
    try {
      await groups.release([lease])
    } catch (error) {
      onError(error)
    }
    this.#running.delete(nameOf(lease))
  }
}

function nameOf ({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
