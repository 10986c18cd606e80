/**
 * The event log in a directory of this machine: records in segment files, topics and groups in LMDB. An
 * ingest process appends while a processor process reads and commits; any of them may be killed at any point.
 *
 * Guarantee: what append or commit acknowledged is on disk, and nobody sees it before (see log-writer.ts,
 * segment-file.ts and environment.ts). Appends and group state have a write lock each, so a processor that is
 * stopped in the middle of a commit does not hold up ingest; it holds up the other members of the machine's
 * groups until it goes on or is killed.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { LogUnavailableError } from '../event-log.ts'
import { AppendClient } from './append-client.ts'
import { FullnessWarning } from './fullness-warning.ts'
import { GroupMember } from './group-member.ts'
import { GroupStore } from './group-store.ts'
import { RecordStore } from './record-store.ts'
import { openEnvironment } from './environment.ts'
import type { RecordPlace } from './append-message.ts'
import type { Environment } from './environment.ts'
import type { FullnessWarningOptions } from './fullness-warning.ts'
import type { GroupKey } from './group-store.ts'
import type {
  AppendRecord, ConsumeOptions, Consumer, EventLog, LogSize, PartitionCommit, PartitionOffsets,
  RecordLocation, TopicSpec
} from '../event-log.ts'

export interface EmbeddedLogOptions {
  /** Created if it does not exist. Not on a network file system: LMDB needs shared memory and fsync. */
  directory: string
  /** Of topics that set none. Default 7 days, as in Kafka. */
  retentionMs?: number
  /** How often an appending process looks for expired records. Default 1 minute. */
  retentionIntervalMs?: number
  /** Bound on the bytes of all records; at the bound append throws LogUnavailableError. Default 32 GiB. */
  bytesMax?: number
  /** Size of the files that hold the records; retention deletes whole ones. Default 32 MiB. */
  segmentBytes?: number
  /** Bound on one record with its header. Default 1 MiB, as in Kafka. */
  recordBytesMax?: number
  /** Bound on the bytes of appends that wait for the disk. Default 64 MiB. */
  pendingBytesMax?: number
  /** A member that has not beaten for this long has lost its partitions. Default 3 s. */
  sessionTimeoutMs?: number
  /** Default 0.5 s. */
  heartbeatMs?: number
  /** Where it says that it becomes full. */
  log?: FullnessWarningOptions['log']
  /** How often an appending process looks how full the log is. Default 1 s. */
  sizeIntervalMs?: number
  /** How often a waiting read looks for new records. Default 25 ms. */
  pollMs?: number
  /** A write that did not commit for this long throws LogUnavailableError. Default 5 s. */
  writeTimeoutMs?: number
  /** Wall clock, epoch milliseconds; retention compares it with the records' arrival. */
  now?: () => number
  /** Clock of leases: one for all processes, never set back. */
  monotonicMs?: () => number
}

const DEFAULTS = {
  retentionMs: 7 * 24 * 3_600_000,
  retentionIntervalMs: 60_000,
  bytesMax: 32 * 2 ** 30,
  segmentBytes: 32 * 2 ** 20,
  recordBytesMax: 2 ** 20,
  pendingBytesMax: 64 * 2 ** 20,
  sessionTimeoutMs: 3000,
  heartbeatMs: 500,
  log: { warn: () => {} },
  sizeIntervalMs: 1000,
  pollMs: 25,
  writeTimeoutMs: 5000,
  now: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n)
}

const GROUP_BYTES_MAX = 64 * 2 ** 20
/** One size in every process: a process that mapped less than another has written could not read on. */
const TOPIC_BYTES_MAX = 64 * 2 ** 20

/** Opens the log of a directory; any number of processes may. */
export function openEmbeddedLog (options: EmbeddedLogOptions): EventLog {
  return new EmbeddedLog({ ...DEFAULTS, ...options })
}

class EmbeddedLog implements EventLog {
  readonly #options: Required<EmbeddedLogOptions>
  readonly #topicEnvironment: Environment<Buffer, Buffer>
  readonly #groupEnvironment: Environment<unknown, GroupKey>
  readonly #appends: AppendClient
  readonly #records: RecordStore
  readonly #groups: GroupStore
  readonly #fullness: FullnessWarning
  readonly #members = new Set<GroupMember>()
  #expireAtMs: number

  constructor (options: Required<EmbeddedLogOptions>) {
    this.#options = options
    const { directory, writeTimeoutMs, sessionTimeoutMs, monotonicMs } = options
    const place: RecordPlace = {
      directory: join(directory, 'segments'),
      database: {
        path: join(directory, 'topics.mdb'), mapSize: TOPIC_BYTES_MAX, encoding: 'binary', keyEncoding: 'binary'
      }
    }
    mkdirSync(place.directory, { recursive: true })
    this.#topicEnvironment = openEnvironment({ ...place.database, writeTimeoutMs })
    this.#appends = new AppendClient({ ...options, ...place })
    this.#groupEnvironment = openEnvironment({
      path: join(directory, 'groups.mdb'), mapSize: GROUP_BYTES_MAX, encoding: 'json', writeTimeoutMs
    })
    this.#records = new RecordStore({
      ...options,
      ...place,
      environment: this.#topicEnvironment,
      appends: this.#appends,
      defaultRetentionMs: options.retentionMs
    })
    this.#groups = new GroupStore({ environment: this.#groupEnvironment, sessionTimeoutMs, monotonicMs })
    this.#fullness = new FullnessWarning({
      size: () => this.size(), log: options.log, intervalMs: options.sizeIntervalMs, monotonicMs
    })
    this.#expireAtMs = monotonicMs()
  }

  async createTopics (topics: readonly TopicSpec[]): Promise<void> {
    // Who creates topics will append to them: the first event need not wait for the thread to start.
    this.#appends.start()
    await this.#records.createTopics(topics)
  }

  async append (topic: string, records: readonly AppendRecord[]): Promise<RecordLocation[]> {
    this.#expireIfDue()
    this.#fullness.look()
    return await this.#records.append(topic, records)
  }

  async checkAppend (topic: string): Promise<void> {
    // A full log is not appended to any more: whoever asks whether it is still full lets it expire.
    this.#expireIfDue()
    await this.#records.checkAppend(topic)
  }

  async offsets (topic: string): Promise<PartitionOffsets[]> {
    return this.#records.offsets(topic)
  }

  async committedOffsets (group: string, topic: string): Promise<PartitionCommit[]> {
    const { partitions } = this.#records.topic(topic)
    return Array.from({ length: partitions }, (_, partition) => ({
      partition, commit: this.#groups.committed(group, topic, partition)
    })).flatMap(({ partition, commit }) => commit === undefined ? [] : [{ partition, ...commit }])
  }

  async consume (options: ConsumeOptions): Promise<Consumer> {
    const { heartbeatMs, pollMs, monotonicMs } = this.#options
    const member = new GroupMember({
      ...options,
      records: this.#records,
      groups: this.#groups,
      heartbeatMs,
      pollMs,
      retryMs: heartbeatMs,
      monotonicMs
    })
    this.#members.add(member)
    return member
  }

  size (): LogSize {
    return { bytes: this.#records.bytes(), bytesMax: this.#options.bytesMax }
  }

  async ping (): Promise<void> {
    try {
      this.#records.ping()
    } catch (error) {
      throw new LogUnavailableError('The embedded log could not be read', { cause: error })
    }
  }

  /** Stops the consumers that still run, waits for the writes under way. */
  async close (): Promise<void> {
    await Promise.all([...this.#members].map(async (member) => await member.stop()))
    try {
      await this.#appends.close()
    } finally {
      this.#records.close()
      await this.#topicEnvironment.close()
      await this.#groupEnvironment.close()
    }
  }

  #expireIfDue (): void {
    const { monotonicMs, retentionIntervalMs } = this.#options
    if (monotonicMs() < this.#expireAtMs) return
    this.#expireAtMs = monotonicMs() + retentionIntervalMs
    this.#appends.expire(this.#options.now())
  }
}
