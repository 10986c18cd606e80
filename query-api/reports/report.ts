/**
 * A report on what the devices of one app did within a window: one query, and one object for each of its
 * rows. An app that is not known has empty reports.
 *
 * Reports read the raw table; what depends on the step before (a stage's time, journeys) reads the table by
 * device. So an answer reaches as far back as that table's retention.
 */
import { MillraceError, interactions } from '../../contract/index.ts'
import { storablePart } from '../parse-window.ts'
import type { Query } from '../query-client.ts'
import type { ReportRequest } from '../parse-report-request.ts'
import type { Row } from '../../contract/index.ts'

/** Rows of one report; more are refused: a part of a report would pass for the whole. */
export const REPORT_ROWS_MAX = 10_000

export interface Report {
  /** Label of the query's metrics. */
  name: string
  sql: string
  toEntry: (row: Row) => object
}

/** The rows of a report's app, of every type, within its window. */
export const APP_WINDOW = `
FROM ${interactions.tables.raw}
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')`

/** Seconds spent. Values that a client made absurdly large still give a number that JSON can hold. */
export const sumElapsed = (seconds: string): string => `least(sum(${seconds}), 1.7976931348623157e308)`

export function reportQuery (report: Report, tenant: string, { app, timeRange }: ReportRequest): Query {
  return {
    name: report.name,
    sql: `${report.sql.trim()}\nLIMIT {rows_max:UInt32}`,
    params: { tenant, app, ...storablePart(timeRange), rows_max: REPORT_ROWS_MAX + 1 }
  }
}

/** Throws MillraceError `invalid_time_range` where there are more rows than one report holds. */
export function toReport (report: Report, rows: readonly Row[]): object[] {
  if (rows.length > REPORT_ROWS_MAX) {
    throw new MillraceError(
      'invalid_time_range', `The report has more than ${REPORT_ROWS_MAX} rows: ask for a shorter window`
    )
  }
  return rows.map(report.toEntry)
}

/** `part` in percent of `whole`, to one decimal. */
export function percentOf (part: number, whole: number): number {
  return Math.round(1000 * part / whole) / 10
}

/** A row's users, of all that it is compared with. */
export function toShare (row: Row): { unique_users: number, total_users: number, percent: number } {
  const users = Number(row['unique_users'])
  const total = Number(row['total_users'])
  return { unique_users: users, total_users: total, percent: percentOf(users, total) }
}

/** Seconds without the noise of the order in which they were summed: to the microsecond. */
export function toSeconds (sum: unknown): number {
  return Number(Number(sum).toFixed(6))
}
