import { MillraceError } from '../contract/index.ts'

/** What an error and its causes say, in one line: the last cause knows the address, or the file. */
export function describeFault (error: unknown): string {
  const said = causesOf(error).map(({ message }) => message).filter((message) => message !== '')
  const line = said.filter((message, at) => !said.slice(0, at).some((before) => before.includes(message))).join(': ')
  return isClickHouseAway(error) ? `${line} (CLICKHOUSE_URL, or CLICKHOUSE_PORT, says where ClickHouse is)` : line
}

/** Of the operating system: a file or an address that its operator named. */
export function isSystemError (error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** One of ours, which says itself what is wrong. */
export function isOwnError (error: unknown): error is Error & { retryable: boolean } {
  return error instanceof Error && 'code' in error && 'retryable' in error
}

function isClickHouseAway (error: unknown): boolean {
  const away = causesOf(error).some((each) => isSystemError(each) && each.syscall === 'connect')
  return away && (isSystemError(error) || (error instanceof MillraceError && error.code === 'storage_unavailable'))
}

/** The error first. Of several at once, such as the addresses of one name, the first one. */
function causesOf (error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const next = error instanceof AggregateError ? error.errors[0] : error.cause
  return [error, ...causesOf(next)]
}
