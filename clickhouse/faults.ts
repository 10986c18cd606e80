/**
 * What to do about a failed insert, decided by ClickHouse's exception code alone, never by its text.
 * Sources: ClickHouse `src/Common/ErrorCodes.cpp` (the numbers) and `isParseError` in
 * `src/Processors/Formats/IRowInputFormat.cpp` (which codes speak of a row that was being read).
 */
export type FaultClass =
  /** Send the same batch again, later; nothing is skipped. */
  | 'retry'
  /** Some row cannot be stored: find it by splitting, dead-letter it, store the others. */
  | 'refused_rows'
  /** No row and no wait will help: tables, users or settings are wrong. Stop, and tell people. */
  | 'fatal'

const CODES: ReadonlyMap<number, FaultClass> = new Map<number, FaultClass>([
  // isParseError: a value of a row could not be read.
  [6, 'refused_rows'], // CANNOT_PARSE_TEXT: a number, enum or date holds other characters
  [25, 'refused_rows'], // CANNOT_PARSE_ESCAPE_SEQUENCE
  [26, 'refused_rows'], // CANNOT_PARSE_QUOTED_STRING
  [27, 'refused_rows'], // CANNOT_PARSE_INPUT_ASSERTION_FAILED: a value of another JSON type
  [33, 'refused_rows'], // CANNOT_READ_ALL_DATA: a row ends too early
  [38, 'refused_rows'], // CANNOT_PARSE_DATE
  [41, 'refused_rows'], // CANNOT_PARSE_DATETIME
  [69, 'refused_rows'], // ARGUMENT_OUT_OF_BOUND: a decimal or date outside its range
  [72, 'refused_rows'], // CANNOT_PARSE_NUMBER
  [117, 'refused_rows'], // INCORRECT_DATA: an unknown field, a malformed row
  [130, 'refused_rows'], // CANNOT_READ_ARRAY_FROM_TEXT
  [131, 'refused_rows'], // TOO_LARGE_STRING_SIZE
  [376, 'refused_rows'], // CANNOT_PARSE_UUID
  [441, 'refused_rows'], // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
  [467, 'refused_rows'], // CANNOT_PARSE_BOOL
  [563, 'refused_rows'], // CANNOT_READ_MAP_FROM_TEXT
  [675, 'refused_rows'], // CANNOT_PARSE_IPV4
  [676, 'refused_rows'], // CANNOT_PARSE_IPV6
  [691, 'refused_rows'], // UNKNOWN_ELEMENT_OF_ENUM
  // A row was read, and then found wrong by a default expression, a conversion, a constraint or a view.
  [53, 'refused_rows'], // TYPE_MISMATCH: a value cannot become the column's type
  [70, 'refused_rows'], // CANNOT_CONVERT_TYPE
  [153, 'refused_rows'], // ILLEGAL_DIVISION in a default or a view
  [321, 'refused_rows'], // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  [349, 'refused_rows'], // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  [395, 'refused_rows'], // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO in a default or a view
  [407, 'refused_rows'], // DECIMAL_OVERFLOW
  [469, 'refused_rows'], // VIOLATED_CONSTRAINT
  [632, 'refused_rows'], // UNEXPECTED_DATA_AFTER_PARSED_VALUE

  // The request cannot work as it is, with any rows.
  [16, 'fatal'], // NO_SUCH_COLUMN_IN_TABLE: the migration is missing or the code is older
  [20, 'fatal'], // NUMBER_OF_COLUMNS_DOESNT_MATCH
  [47, 'fatal'], // UNKNOWN_IDENTIFIER
  [60, 'fatal'], // UNKNOWN_TABLE
  [62, 'fatal'], // SYNTAX_ERROR
  [73, 'fatal'], // UNKNOWN_FORMAT
  [81, 'fatal'], // UNKNOWN_DATABASE
  [115, 'fatal'], // UNKNOWN_SETTING
  [164, 'fatal'], // READONLY: the user may not write
  [192, 'fatal'], // UNKNOWN_USER
  [193, 'fatal'], // WRONG_PASSWORD
  [194, 'fatal'], // REQUIRED_PASSWORD
  [291, 'fatal'], // DATABASE_ACCESS_DENIED
  [452, 'fatal'], // SETTING_CONSTRAINT_VIOLATION
  [497, 'fatal'], // ACCESS_DENIED
  [516, 'fatal'], // AUTHENTICATION_FAILED

  // The server cannot take it now. Unknown codes are treated alike; these are named so that tests hold them.
  [159, 'retry'], // TIMEOUT_EXCEEDED
  [160, 'retry'], // TOO_SLOW
  [173, 'retry'], // CANNOT_ALLOCATE_MEMORY
  [201, 'retry'], // QUOTA_EXCEEDED
  [202, 'retry'], // TOO_MANY_SIMULTANEOUS_QUERIES
  [203, 'retry'], // NO_FREE_CONNECTION
  [209, 'retry'], // SOCKET_TIMEOUT
  [210, 'retry'], // NETWORK_ERROR
  [236, 'retry'], // ABORTED: the server is stopping
  [241, 'retry'], // MEMORY_LIMIT_EXCEEDED
  [242, 'retry'], // TABLE_IS_READ_ONLY: a replica has lost its Keeper
  [243, 'retry'], // NOT_ENOUGH_SPACE
  [252, 'retry'], // TOO_MANY_PARTS: merges are behind
  [285, 'retry'], // TOO_FEW_LIVE_REPLICAS
  [286, 'retry'], // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  [319, 'retry'], // UNKNOWN_STATUS_OF_INSERT: the token settles it
  [394, 'retry'], // QUERY_WAS_CANCELLED
  [425, 'retry'], // SYSTEM_ERROR
  [439, 'retry'], // CANNOT_SCHEDULE_TASK
  [692, 'retry'], // TOO_MANY_MUTATIONS
  [745, 'retry'], // SERVER_OVERLOADED
  [999, 'retry'] // KEEPER_EXCEPTION
])

/**
 * What to do after `error`, from an insert through `@clickhouse/client`. Whatever has no known ClickHouse
 * code (sockets, time-outs, aborted requests, proxies, codes of later versions) is `retry`: an error that
 * nobody foresaw must not lose data.
 */
export function classifyFault (error: unknown): FaultClass {
  const code = clickHouseCode(error)
  return code === undefined ? 'retry' : CODES.get(code) ?? 'retry'
}

/** ClickHouse's exception code of an error of the client; undefined where it did not come from ClickHouse. */
export function clickHouseCode (error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && /^\d{1,9}$/.test(code) ? Number(code) : undefined
}
