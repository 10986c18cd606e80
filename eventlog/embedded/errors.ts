/** No process has created this topic in this directory. */
export class UnknownTopicError extends Error {
  readonly code = 'unknown_topic'
  readonly retryable = false
  override readonly name = 'UnknownTopicError'
}

/** The log holds its `bytesMax`: cause of a LogUnavailableError. Retention or a larger bound makes room. */
export class LogFullError extends Error {
  readonly code = 'log_full'
  readonly retryable = true
  override readonly name = 'LogFullError'
}
