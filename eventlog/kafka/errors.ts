import { FencedError, LogUnavailableError, RecordTooLargeError } from '../event-log.ts'

/**
 * Protocol errors (kafkajs's names) by which the coordinator says: this member, in this generation, owns
 * nothing any more. REBALANCE_IN_PROGRESS is one of them: the session ends with the rebalance, and the next
 * owner, maybe this process again, redoes what was not committed.
 */
const FENCED = new Set([
  'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'
])

/** MESSAGE_TOO_LARGE is code 10, RECORD_LIST_TOO_LARGE 18. */
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

const CAUSES_MAX = 8

export type LogError = FencedError | LogUnavailableError | RecordTooLargeError

/**
 * What kafkajs threw, as an error of the interface. Everything that is not known to mean something else is
 * LogUnavailableError: the outcome is unknown and the call may be repeated.
 */
export function toLogError (error: unknown, what: string): LogError {
  if (error instanceof FencedError || error instanceof LogUnavailableError) return error
  if (error instanceof RecordTooLargeError) return error
  const type = protocolError(error)
  const text = `${what}: ${error instanceof Error ? error.message : String(error)}`
  if (FENCED.has(type)) return new FencedError(text, { cause: error })
  if (TOO_LARGE.has(type)) return new RecordTooLargeError(text, { cause: error })
  return new LogUnavailableError(text, { cause: error })
}

/** The broker's error name, or '' where none is in the chain of causes. */
export function protocolError (error: unknown): string {
  let one = error
  for (let depth = 0; depth < CAUSES_MAX && typeof one === 'object' && one !== null; depth++) {
    const { type, cause } = one as { type?: unknown, cause?: unknown }
    if (typeof type === 'string') return type
    one = cause
  }
  return ''
}

/** Settles as `promise` does, but rejects with LogUnavailableError after `ms`, leaving the promise alone. */
export async function within<T> (ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((resolve, reject) => {
    timer = setTimeout(() => reject(new LogUnavailableError(`${what}: no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
