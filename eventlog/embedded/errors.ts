/** No process has created this topic in this directory. */
export class UnknownTopicError extends Error {
  readonly code = 'unknown_topic'
  readonly retryable = false
  override readonly name = 'UnknownTopicError'
}
