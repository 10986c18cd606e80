import { loadSettings } from '../../cli/settings.ts'
import { eventLogConfig, eventLogSettings, openEventLog } from '../../eventlog/index.ts'
import { until } from './until.ts'
import type { EventLog } from '../../eventlog/index.ts'
import type { MillracePlace } from './millrace.ts'

const NO_LOG = { debug: () => {}, warn: () => {} }

/** The log of a running system, asked past the system itself. */
export class PlaceLog {
  readonly #log: EventLog
  readonly #group: string
  readonly #topics: readonly string[]

  constructor ({ directory, logEnv }: MillracePlace, topics: readonly string[] = ['user_tags']) {
    const env = { DATA_DIR: directory, ...logEnv }
    this.#log = openEventLog(eventLogConfig(loadSettings(eventLogSettings, env)), NO_LOG)
    this.#topics = topics
    this.#group = logEnv['PROCESSOR_GROUP'] ?? 'millrace'
  }

  /** Records that are not yet stored in every table, over all partitions. */
  async lag (): Promise<number> {
    const lags = await Promise.all(this.#topics.map((topic) => this.#lagOf(topic)))
    return lags.reduce((sum, lag) => sum + lag, 0)
  }

  async #lagOf (topic: string): Promise<number> {
    const [offsets, commits] = await Promise.all([
      this.#log.offsets(topic), this.#log.committedOffsets(this.#group, topic)
    ])
    const committed = new Map(commits.map(({ partition, offset }) => [partition, offset]))
    const lags = offsets.map(({ partition, begin, end }) => end - (committed.get(partition) ?? begin))
    return lags.reduce((sum, lag) => sum + lag, 0)
  }

  /** Resolves when everything in the log is stored. */
  async drained (deadlineMs: number): Promise<void> {
    await until('everything is stored', deadlineMs, async () => await this.lag() === 0 || undefined)
  }

  async close (): Promise<void> {
    await this.#log.close()
  }
}
