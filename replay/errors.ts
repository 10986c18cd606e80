/** Why a replay cannot be done, or was not carried to its end. `code` says which. */
export class ReplayError extends Error {
  readonly code:
    | 'invalid_name' | 'no_such_view' | 'table_exists' | 'other_range' | 'log_too_short' | 'cluster_unsupported'
    | 'boundary_unsettled' | 'counts_differ'

  readonly retryable: boolean
  override readonly name = 'ReplayError'

  constructor (code: ReplayError['code'], message: string) {
    super(message)
    this.code = code
    this.retryable = code === 'boundary_unsettled'
  }
}
