import { SharedRead } from './read-sharing.ts'
import { rangeAt } from './parse-visits-request.ts'
import { slideTo } from './parse-window.ts'
import { aggregatesQuery, toAggregatesAnswer } from './queries/aggregates.ts'
import { analyticsQuery, toAnalyticsAnswer } from './queries/analytics.ts'
import { profilesQuery, toProfiles } from './queries/profiles.ts'
import { reportQuery, toReport } from './reports/report.ts'
import { toUserStatistics, userStatisticsQuery } from './queries/user-statistics.ts'
import { toVisitsBodies, visitsQuery } from './queries/visits.ts'
import type { AggregatesAnswer } from './queries/aggregates.ts'
import type { AggregatesRequest } from './parse-aggregates-request.ts'
import type { AnalyticsAnswer } from './queries/analytics.ts'
import type { AnalyticsRequest } from './parse-analytics-request.ts'
import type { Profile } from './queries/profiles.ts'
import type { ProfileRequest } from './parse-profile-request.ts'
import type { Query, QueryClient } from './query-client.ts'
import type { Report } from './reports/report.ts'
import type { ReportRequest } from './parse-report-request.ts'
import type { MillraceError, Row } from '../contract/index.ts'
import type { SharedReadLimits } from './read-sharing.ts'
import type { UserStatistics } from './queries/user-statistics.ts'
import type { UserStatisticsRequest } from './parse-user-statistics-request.ts'
import type { VisitsRequest } from './parse-visits-request.ts'

/** Whose data, and what is asked of it. */
export interface TenantRequest<Request> {
  tenant: string
  request: Request
}

/** A report, and what it is asked about. */
export interface ReportRead extends TenantRequest<ReportRequest> {
  report: Report
}

export interface ReaderOptions {
  client: QueryClient
  limits: SharedReadLimits
  onBatch: (size: number) => void
}

/** Bytes of one point read's values beside its subject: quotes, commas and two times. */
const POINT_OVERHEAD_BYTES = 32

/** Profiles of different shoppers share a query. */
export function profileReader (
  { client, limits, onBatch }: ReaderOptions
): SharedRead<TenantRequest<ProfileRequest>, Profile> {
  return new SharedRead({
    limits,
    onBatch,
    keyOf: ({ tenant, request: { cookie, timeRange, limit } }) => {
      return JSON.stringify([tenant, cookie, timeRange.fromMs, timeRange.toMs, limit])
    },
    groupOf: ({ tenant }) => tenant,
    subjectOf: ({ request }) => request.cookie,
    bytesOf: ({ request }) => POINT_OVERHEAD_BYTES + Buffer.byteLength(request.cookie),
    readMany: async (reads, signal) => {
      const tenant = reads[0]?.tenant as string
      const requests = reads.map(({ request }) => request)
      return toProfiles(requests, await client.query(profilesQuery(tenant, requests), signal))
    }
  })
}

/**
 * Statistics of different users within the same window share a query. A window that ends now ends when it is
 * read, so that all such windows of one length are the same.
 */
export function userStatisticsReader (
  { client, limits, onBatch, now }: ReaderOptions & { now: () => number }
): SharedRead<TenantRequest<UserStatisticsRequest>, UserStatistics> {
  const groupOf = ({ tenant, request }: TenantRequest<UserStatisticsRequest>): string => {
    const { timeRange, sliding } = request
    return JSON.stringify([tenant, timeRange.toMs - timeRange.fromMs, sliding ? 'slides' : timeRange.toMs])
  }
  return new SharedRead({
    limits,
    onBatch,
    keyOf: (read) => JSON.stringify([groupOf(read), read.request.userId]),
    groupOf,
    subjectOf: ({ request }) => request.userId,
    bytesOf: ({ request }) => POINT_OVERHEAD_BYTES + Buffer.byteLength(request.userId),
    readMany: async (reads, signal) => {
      const [{ tenant, request: { timeRange, sliding } }] = reads as [TenantRequest<UserStatisticsRequest>]
      const userIds = reads.map(({ request }) => request.userId)
      const query = userStatisticsQuery(tenant, userIds, sliding ? slideTo(timeRange, now()) : timeRange)
      return toUserStatistics(userIds, await client.query(query, signal))
    }
  })
}

export function aggregatesReader (
  options: ReaderOptions
): SharedRead<TenantRequest<AggregatesRequest>, AggregatesAnswer> {
  return singleReader(options, {
    queryOf: ({ tenant, request }) => aggregatesQuery(tenant, request),
    answerOf: ({ request }, rows) => toAggregatesAnswer(request, rows)
  })
}

export function analyticsReader (
  options: ReaderOptions
): SharedRead<TenantRequest<AnalyticsRequest>, AnalyticsAnswer> {
  return singleReader(options, {
    queryOf: ({ tenant, request }) => analyticsQuery(tenant, request),
    answerOf: (_read, rows) => toAnalyticsAnswer(rows)
  })
}

/** Windows of visits in one query: each has an answer of up to 20 MB, and is held up by the others. */
const VISITS_BATCH_SIZE_MAX = 4

/**
 * Answers are the text of their body, or why there is none. A window that ends now ends when it is read, so
 * that all who wait for the same window, of whatever millisecond they asked, have one; different windows of a
 * tenant share a query, but for those of distinct visitors, which is the slower question by far.
 */
export function visitsReader (
  { client, limits, onBatch, now }: ReaderOptions & { now: () => number }
): SharedRead<TenantRequest<VisitsRequest>, string | MillraceError> {
  const keyOf = ({ tenant, request }: TenantRequest<VisitsRequest>): string => {
    const { aggregation, unique, timeRange, sliding } = request
    return JSON.stringify([
      tenant, aggregation, unique, sliding.from ? 'slides' : timeRange.fromMs, sliding.to ? 'slides' : timeRange.toMs
    ])
  }
  return new SharedRead({
    limits: { ...limits, batchSizeMax: Math.min(limits.batchSizeMax, VISITS_BATCH_SIZE_MAX) },
    onBatch,
    keyOf,
    groupOf: (read) => read.request.unique ? keyOf(read) : JSON.stringify([read.tenant]),
    subjectOf: keyOf,
    bytesOf: () => 0,
    readMany: async (reads, signal) => {
      const tenant = reads[0]?.tenant as string
      const nowMs = now()
      const windows = reads.map(({ request }) => ({ ...request, timeRange: rangeAt(request, nowMs) }))
      const ask = async (asked: typeof windows): Promise<Array<string | MillraceError>> => {
        return toVisitsBodies(asked, await client.query(visitsQuery(tenant, asked), signal))
      }
      const bodies = await ask(windows)
      if (windows.length === 1) return bodies
      // What was too much may have been what it was counted together with.
      return await Promise.all(windows.map(async (window, index) => {
        const body = bodies[index] as string | MillraceError
        return typeof body === 'string' ? body : (await ask([window]))[0] as string | MillraceError
      }))
    }
  })
}

export function reportReader (options: ReaderOptions): SharedRead<ReportRead, object[]> {
  return singleReader(options, {
    queryOf: ({ report, tenant, request }) => reportQuery(report, tenant, request),
    answerOf: ({ report }, rows) => toReport(report, rows)
  })
}

interface SingleReadOptions<Read, Answer> {
  queryOf: (read: Read) => Query
  answerOf: (read: Read, rows: readonly Row[]) => Answer
}

/** Requests are read one by one; equal ones that wait share the answer. */
function singleReader<Read extends TenantRequest<unknown>, Answer> (
  { client, limits, onBatch }: ReaderOptions, { queryOf, answerOf }: SingleReadOptions<Read, Answer>
): SharedRead<Read, Answer> {
  return new SharedRead<Read, Answer>({
    limits: { ...limits, batchSizeMax: 1 },
    onBatch,
    keyOf: (read) => JSON.stringify(read),
    groupOf: ({ tenant }) => tenant,
    subjectOf: () => '',
    bytesOf: () => 0,
    readMany: (reads, signal) => Promise.all(reads.map(async (read): Promise<Answer> => {
      return answerOf(read, await client.query(queryOf(read), signal))
    }))
  })
}
