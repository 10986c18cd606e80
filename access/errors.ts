export type AccessFaultCode =
  | 'access_file_invalid' | 'access_file_locked' | 'access_file_unreadable' | 'access_file_unwritable'
  | 'organisation_exists' | 'organisation_unknown' | 'key_unknown' | 'argument_invalid'
  | 'open_on_network' | 'redis_missing'

/** What is wrong with the file of keys, or with what was asked of it; the message is for its operator. */
export class AccessError extends Error {
  readonly code: AccessFaultCode
  override readonly name = 'AccessError'

  constructor (code: AccessFaultCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }

  get retryable (): boolean {
    return this.code === 'access_file_locked'
  }
}
