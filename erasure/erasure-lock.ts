import { withTableLock } from '../clickhouse/index.ts'
import type { ClickHouseClient, LockTiming } from '../clickhouse/index.ts'

/** A holder that was killed is replaced after 10 s. */
const TIMING: LockTiming = { heartbeatMs: 2_000, staleAfterMs: 10_000, pollMs: 500 }

export interface ErasureLockOptions {
  client: ClickHouseClient
  config: { database: string, cluster: string | undefined }
  timing?: LockTiming | undefined
  /** Ends the wait for the lock. */
  signal: AbortSignal
}

/**
 * While `work` runs no other process carries erasures out, in the whole system: the state of every erasure
 * and its positions stay as they are. Requests to erase are taken and hidden from reads meanwhile.
 * `assertHeld` throws once another process has taken the lock over; call it before each step.
 */
export function withErasureLock<T> (
  { client, config, timing = TIMING, signal }: ErasureLockOptions,
  work: (assertHeld: () => Promise<void>) => Promise<T>
): Promise<T> {
  return withTableLock({ client, config, name: 'erasure_job_lock', timing, signal }, work)
}
