/** Where one partition of a stream stands in the log: `begin <= committed <= end`. */
export interface LogPosition {
  stream: string
  partition: number
  /** Oldest offset that the log still holds. */
  begin: number
  /** Offset of the next record to be stored; `begin` where nothing was committed yet. */
  committed: number
  /** Offset that the next record will get. */
  end: number
}

/** What the ledger knows of the log. Rejects with MillraceError `log_unavailable`. */
export interface LogPositions {
  /** Every partition of a stream, by its number. */
  positionsOf: (stream: string) => Promise<LogPosition[]>
}
