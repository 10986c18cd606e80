const RETRYABLE: ReadonlySet<string> = new Set(['boundary_unsettled', 'erasure_under_way', 'never_idle'])

/** Why a replay cannot be done, or was not carried to its end. `code` says which. */
export class ReplayError extends Error {
  readonly code:
    | 'invalid_name' | 'no_such_view' | 'table_exists' | 'other_range' | 'log_too_short' | 'cluster_unsupported'
    | 'boundary_unsettled' | 'counts_differ' | 'erasure_under_way' | 'never_idle'

  readonly retryable: boolean
  override readonly name = 'ReplayError'

  constructor (code: ReplayError['code'], message: string) {
    super(message)
    this.code = code
    this.retryable = RETRYABLE.has(code)
  }
}
