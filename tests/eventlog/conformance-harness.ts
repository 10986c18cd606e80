/**
 * What an adapter's test gives the conformance suite, and what the suite's tests are written with: group
 * members that hold their sessions, child processes, conditions with a deadline.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from '../support/until.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { AppendRecord, Consumer, EventLog, LogRecord, PartitionSession } from '../../eventlog/index.ts'
import type { ChildCommand, ChildMessage, CommitRequest } from './conformance-child.ts'

/** One log, seen from the outside. Made anew for each test, so it may be a fresh directory. */
export interface EventLogHarness {
  /**
   * One more handle on the same log, as another process would open it. The suite closes it. No session is
   * lost because a machine stands still for some seconds.
   */
  open: () => Promise<EventLog>
  /** The same, but it soon takes over the partitions of a `child` that is not heard of. */
  openImpatient: () => Promise<EventLog>
  /** `module` (absolute path) exports `openEventLog(config)`, which opens the same log in a child process. */
  child: { module: string, config: unknown }
  /** A record whose value is this long is refused with RecordTooLargeError. */
  tooLargeBytes: number
  /** Bound on everything that takes a rebalance, a failover or a child's start, in milliseconds. */
  deadlineMs: number
  close: () => Promise<void>
}

/** A record whose key and value are these texts. */
export function record (key: string, value: string): AppendRecord {
  return { key: Buffer.from(key), value: Buffer.from(value), timestampMs: Date.now() }
}

export function texts (records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => value.toString())
}

/** Every record of the session's partition from `offset` to `end`. */
export async function readAll (session: PartitionSession, offset: number, end: number): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  let next = offset
  while (next < end) {
    const bounds = { minBytes: 1, maxBytes: 1e6, maxRecords: 1000, maxWaitMs: 500 }
    all.push(...await session.read({ offset: next, ...bounds }))
    next = (all.at(-1)?.offset ?? next - 1) + 1
  }
  return all
}

/** A group member that holds its sessions until they are taken away or it stops. */
export class Member {
  /** The sessions that run now, by partition. */
  readonly sessions = new Map<number, PartitionSession>()
  readonly errors: unknown[] = []
  #consumer: Consumer | undefined

  static async join (log: EventLog, group: string, topic: string): Promise<Member> {
    const member = new Member()
    member.#consumer = await log.consume({
      group,
      topics: [topic],
      onError: (error) => member.errors.push(error),
      onPartition: async (session) => await member.#hold(session)
    })
    return member
  }

  get consumer (): Consumer {
    if (this.#consumer === undefined) throw new Error('not joined yet')
    return this.#consumer
  }

  async session (partition: number, deadlineMs: number): Promise<PartitionSession> {
    return await until(`a session of partition ${partition}`, deadlineMs, () => this.sessions.get(partition))
  }

  async stop (): Promise<void> {
    await this.#consumer?.stop()
  }

  async #hold (session: PartitionSession): Promise<void> {
    this.sessions.set(session.partition, session)
    await aborted(session.signal)
    this.sessions.delete(session.partition)
  }
}

export async function aborted (signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** A child process on the same log. */
export class Child {
  readonly messages: ChildMessage[] = []
  readonly #process: ChildProcessWithoutNullStreams
  #errors = ''

  constructor (harness: Pick<EventLogHarness, 'child'>, command: ChildCommand) {
    const script = fileURLToPath(new URL('conformance-child.ts', import.meta.url))
    const { module, config } = harness.child
    this.#process = spawn(process.execPath, [script, module, JSON.stringify(config), JSON.stringify(command)])
    createInterface({ input: this.#process.stdout })
      .on('line', (line) => this.messages.push(JSON.parse(line) as ChildMessage))
    this.#process.stderr.on('data', (chunk: Buffer) => { this.#errors += chunk.toString() })
  }

  of<E extends ChildMessage['event']> (event: E): Array<ChildMessage & { event: E }> {
    return this.messages.filter((message): message is ChildMessage & { event: E } => message.event === event)
  }

  /** The first message of this kind. */
  async first<E extends ChildMessage['event']> (
    event: E, deadlineMs: number
  ): Promise<ChildMessage & { event: E }> {
    return await until(`the child's ${event}`, deadlineMs, () => {
      if (this.#process.exitCode !== null && event !== 'done') throw new Error(`The child ended: ${this.#errors}`)
      return this.of(event)[0]
    }, { retryThrown: false })
  }

  commit (request: CommitRequest): void {
    this.#process.stdin.write(JSON.stringify(request) + '\n')
  }

  /** Sends a signal; SIGKILL resolves when the process is gone. */
  async signal (signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = new Promise<void>((resolve) => this.#process.once('close', () => resolve()))
    this.#process.kill(signal)
    if (signal === 'SIGKILL') await gone
  }
}
