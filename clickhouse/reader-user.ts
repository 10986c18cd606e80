import { onCluster } from './migration-template.ts'
import { quoteIdentifier, quoteString } from './sql-tokens.ts'
import type { ClickHouseConfig } from './config.ts'

/**
 * The SQL that gives a real server the read-only user; the embedded server has it built in. An administrator
 * runs it once, by hand: the user that migrates need not be allowed to create users. The text holds the
 * password.
 *
 * readonly = 2 lets a request choose formats; the limits have bounds on both sides, because 0 would mean
 * none.
 */
export function readerStatements (config: ClickHouseConfig): string[] {
  const { readUser, readPassword, readLimits, database } = config
  const user = quoteIdentifier(readUser)
  const settings = [
    'readonly = 2 CONST',
    bounded('max_execution_time', readLimits.secondsMax, 0.001),
    bounded('max_memory_usage', readLimits.memoryBytesMax),
    bounded('max_result_rows', readLimits.resultRowsMax),
    bounded('max_result_bytes', readLimits.resultBytesMax),
    'timeout_before_checking_execution_speed = 0 CONST',
    "timeout_overflow_mode = 'throw' CONST",
    "result_overflow_mode = 'throw' CONST"
  ]
  const cluster = onCluster(config)
  return [
    `CREATE USER IF NOT EXISTS ${user} ${cluster} IDENTIFIED WITH sha256_password BY ${quoteString(readPassword)}` +
      ` SETTINGS ${settings.join(', ')}`,
    `GRANT ${cluster} SELECT, SHOW ON ${database}.* TO ${user}`
  ]
}

function bounded (name: string, limit: number, least = 1): string {
  return `${name} = ${limit} MIN ${least} MAX ${limit}`
}
