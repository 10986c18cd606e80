import type { LogSize } from '../event-log.ts'

/** From this part of its bound on a log is nearly full: what is left gives time to do something. */
const NEARLY_FULL = 0.8

export interface FullnessWarningOptions {
  size: () => LogSize
  log: { warn: (fields: object, message: string) => void }
  /** How often it looks, at most. */
  intervalMs: number
  monotonicMs: () => number
}

/** Warns once when the log becomes nearly full, and again only after it had room in between. */
export class FullnessWarning {
  readonly #options: FullnessWarningOptions
  #lookAtMs = -Infinity
  #warned = false

  constructor (options: FullnessWarningOptions) {
    this.#options = options
  }

  /** To be called at each append. */
  look (): void {
    const { size, log, intervalMs, monotonicMs } = this.#options
    const nowMs = monotonicMs()
    if (nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + intervalMs
    const { bytes, bytesMax } = size()
    const nearlyFull = bytes >= NEARLY_FULL * bytesMax
    if (nearlyFull && !this.#warned) {
      log.warn({ bytes, bytesMax }, 'the event log is nearly full: at its bound events are refused')
    }
    this.#warned = nearlyFull
  }
}
