import { MillraceError } from '../contract/index.ts'
import { TopicAppender } from './topic-appender.ts'
import type { AppendRecord } from '../eventlog/index.ts'
import type { IngestConfig } from './config.ts'
import type { IngestMetrics } from './metrics.ts'

/** Where appends go: the log, or the log with its spool; `append` is as EventLog says. */
export interface AppendTarget {
  append: (topic: string, records: readonly AppendRecord[]) => Promise<unknown>
}

export interface GroupAppenderOptions {
  log: AppendTarget
  config: IngestConfig
  metrics: IngestMetrics
  /** Milliseconds of a clock that never goes back; for budgets. */
  monotonicMs?: () => number
}

/**
 * Group commit: concurrent requests share appends, so that a durable write costs its wait once and not once a
 * request. Each topic has its own queue and its own limits. The caller closes the log, after this.
 */
export class GroupAppender {
  readonly #options: Required<GroupAppenderOptions>
  readonly #topics = new Map<string, TopicAppender>()
  #closing = false

  constructor (options: GroupAppenderOptions) {
    this.#options = { monotonicMs: () => performance.now(), ...options }
  }

  /**
   * Resolves when the record is durable. Rejects with a MillraceError: `overloaded`, `shutting_down` and
   * `body_too_large`: it was not stored; `log_unavailable`: it was not confirmed within the budget, or its
   * append failed, and it may have been stored if its append had begun; `log_full`: the log has no room.
   */
  append (topic: string, record: AppendRecord): Promise<void> {
    return this.appendMany(topic, [record])
  }

  /**
   * As `append`, for the records of one request, in order and in one append where they fit into one. All of
   * them are taken or none; after `log_unavailable` or `log_full` any number of them may have been stored.
   */
  appendMany (topic: string, records: readonly AppendRecord[]): Promise<void> {
    if (this.#closing) return Promise.reject(new MillraceError('shutting_down', 'No more events are taken'))
    let appender = this.#topics.get(topic)
    if (appender === undefined) {
      appender = new TopicAppender({ ...this.#options, topic })
      this.#topics.set(topic, appender)
    }
    return appender.append(records)
  }

  /** Refuses what comes from now on; resolves when all that was taken is answered, within the budget. */
  async close (): Promise<void> {
    this.#closing = true
    await Promise.all([...this.#topics.values()].map((appender) => appender.drained()))
  }
}
