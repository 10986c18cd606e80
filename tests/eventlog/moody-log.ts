import { setTimeout as delay } from 'node:timers/promises'
import { LogUnavailableError, RecordTooLargeError } from '../../eventlog/index.ts'
import type { AppendRecord } from '../../eventlog/index.ts'

const SILENT_MS = 200

/** `silent`: it fails, far too late; `lost`: the append is stored, its confirmation is lost. */
export type Mood = 'up' | 'away' | 'silent' | 'lost'

/** A log double that is up, away or silent as the test says. */
export class MoodyLog {
  mood: Mood = 'up'
  /** Records from later than this are refused, as a broker does. */
  latestMs = Infinity
  /** Appends of more are refused, as a broker does. */
  bytesMax = Infinity
  readonly stored: string[] = []

  async createTopics (): Promise<void> { this.#answer() }
  async checkAppend (): Promise<void> { this.#answer() }

  async append (_topic: string, records: readonly AppendRecord[]): Promise<never[]> {
    const { mood, latestMs } = this
    if (records.some(({ timestampMs }) => timestampMs > latestMs)) throw new LogUnavailableError('from the future')
    const bytes = records.reduce((sum, { value }) => sum + value.length, 0)
    if (mood === 'up' && bytes > this.bytesMax) throw new RecordTooLargeError('too large')
    if (mood === 'silent') await delay(SILENT_MS)
    else if (mood !== 'away') this.stored.push(...records.map(({ value }) => value.toString('latin1')))
    if (mood !== 'up') throw new LogUnavailableError(`the log is ${mood}`)
    return []
  }

  #answer (): void {
    if (this.mood === 'away' || this.mood === 'silent') throw new LogUnavailableError(`the log is ${this.mood}`)
  }
}
