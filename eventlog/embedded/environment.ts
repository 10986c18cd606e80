/**
 * One LMDB environment, opened so that a transaction is durable before anybody can see it.
 *
 * lmdb-js by default (`overlappingSync`) commits first and flushes afterwards: its promises resolve, and
 * other processes read, before the data is on disk (lmdb-js README, "Overlapping Sync Options"). An offset
 * that a power cut takes back after a processor has used it breaks exactly-once, so the option is off: LMDB's
 * own order holds, fdatasync of the pages, a synchronous write of the meta page, then visible, then resolved
 * (seen so with strace).
 *
 * Several processes may open one environment. Its write lock is a robust mutex: the kernel frees it when the
 * holder dies, and the unfinished transaction never happened. A holder that is stopped (SIGSTOP) keeps it.
 */
import { open } from 'lmdb'
import { LogUnavailableError } from '../event-log.ts'
import type { Database, RootDatabase, RootDatabaseOptionsWithPath } from 'lmdb'

export interface Environment<V, K extends Buffer | Array<string | number>> {
  /** Reads see what was committed when `fresh` was last called, or what the running `write` has done. */
  database: Database<V, K>
  /** Lets the following reads see everything that is committed now, by any process. */
  fresh: () => Database<V, K>
  /**
   * Runs `work` (synchronous) in a write transaction of its own; what it throws rolls the transaction back
   * and is thrown here. Transactions that queue up while one is synced share the next sync. Resolves when
   * durable. Throws LogUnavailableError when the log cannot be written, or not within `writeTimeoutMs`.
   */
  write: <T>(work: () => T) => Promise<T>
  close: () => Promise<void>
}

/** A database of which every transaction is durable before it is visible. */
export function openDurable<V, K extends Buffer | Array<string | number>> (
  options: RootDatabaseOptionsWithPath
): RootDatabase<V, K> {
  // With eventTurnBatching lmdb-js makes a promise of its own for each batch, and where a commit fails (disk
  // full) that one is rejected with nobody to catch it, which would end the process.
  return open<V, K>({ ...options, overlappingSync: false, eventTurnBatching: false, noSubdir: true })
}

export function openEnvironment<V, K extends Buffer | Array<string | number>> (
  { writeTimeoutMs, ...options }: RootDatabaseOptionsWithPath & { writeTimeoutMs: number }
): Environment<V, K> {
  const database = openDurable<V, K>(options)
  const pending = new Set<Promise<unknown>>()
  return {
    database,
    fresh: () => {
      database.resetReadTxn()
      return database
    },
    write: async (work) => {
      const written = writeWithin(database, writeTimeoutMs, work)
      pending.add(written)
      try {
        return await written
      } finally {
        pending.delete(written)
      }
    },
    close: async () => {
      await Promise.allSettled(pending)
      await database.close()
    }
  }
}

/** Marks what `work` itself threw, so that it is told apart from what LMDB threw. */
class WorkFailed extends Error {
  readonly reason: unknown

  constructor (reason: unknown) {
    super('The transaction was rolled back')
    this.reason = reason
  }
}

async function writeWithin<T> (database: Database, timeoutMs: number, work: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let late = false
  const timeout = new Promise<never>((resolve, reject) => {
    timer = setTimeout(() => {
      late = true
      reject(new LogUnavailableError(`The embedded log did not commit within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  const committed = database.childTransaction(() => {
    // Nobody waits for it any more: store nothing.
    if (late) throw new LogUnavailableError('The embedded log took too long')
    try {
      return work()
    } catch (error) {
      throw new WorkFailed(error)
    }
  })
  try {
    return await Promise.race([committed, timeout])
  } catch (error) {
    throw await asLogError(error)
  } finally {
    clearTimeout(timer)
    committed.catch(() => {})
  }
}

/** Errors of ours pass; what LMDB reports (map or disk full, I/O) becomes retryable. */
async function asLogError (error: unknown): Promise<unknown> {
  const reason = error instanceof WorkFailed ? error.reason : await commitFault(error)
  const ours = reason instanceof Error && 'retryable' in reason
  return ours ? reason : new LogUnavailableError('The embedded log could not write', { cause: reason })
}

/** lmdb-js hangs the cause of a failed commit on the error, as a promise that is rejected right after it. */
async function commitFault (error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<unknown> }
  return commitError === undefined ? error : await commitError.catch((fault: unknown) => fault)
}
