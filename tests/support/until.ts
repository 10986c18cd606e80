const INTERVAL_MS = 25

export interface UntilOptions {
  /** True: what the probe throws is no answer yet. False: it ends the wait, and is thrown on. */
  retryThrown?: boolean
}

/**
 * Asks `probe` until it gives something other than undefined, and returns that. Throws past the deadline,
 * with what was waited for and the last error of the probe, if it threw.
 */
export async function until<T> (
  what: string,
  deadlineMs: number,
  probe: () => T | undefined | Promise<T | undefined>,
  { retryThrown = true }: UntilOptions = {}
): Promise<T> {
  const end = performance.now() + deadlineMs
  let failure: unknown
  do {
    try {
      const value = await probe()
      if (value !== undefined) return value
      failure = undefined
    } catch (error) {
      if (!retryThrown) throw error
      failure = error
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
  } while (performance.now() < end)
  throw new Error(`Not within ${deadlineMs} ms: ${what}`, { cause: failure })
}
