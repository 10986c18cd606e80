import { SharedRead } from './shared-read.ts'
import { aggregatesQuery, toAggregatesAnswer } from './queries/aggregates.ts'
import { profilesQuery, toProfiles } from './queries/profiles.ts'
import type { AggregatesAnswer } from './queries/aggregates.ts'
import type { AggregatesRequest } from './parse-aggregates-request.ts'
import type { Profile } from './queries/profiles.ts'
import type { ProfileRequest } from './parse-profile-request.ts'
import type { QueryClient } from './query-client.ts'
import type { SharedReadLimits } from './shared-read.ts'

/** Whose data, and what is asked of it. */
export interface TenantRequest<Request> {
  tenant: string
  request: Request
}

export interface ReaderOptions {
  client: QueryClient
  limits: SharedReadLimits
  onBatch: (size: number) => void
}

/** Bytes of one request's values beside its cookie: quotes, commas and two times. */
const PROFILE_OVERHEAD_BYTES = 32

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
    bytesOf: ({ request }) => PROFILE_OVERHEAD_BYTES + Buffer.byteLength(request.cookie),
    readMany: async (reads, signal) => {
      const tenant = reads[0]?.tenant as string
      const requests = reads.map(({ request }) => request)
      return toProfiles(requests, await client.query(profilesQuery(tenant, requests), signal))
    }
  })
}

/** Aggregates are read one by one; equal requests that wait share the answer. */
export function aggregatesReader (
  { client, limits, onBatch }: ReaderOptions
): SharedRead<TenantRequest<AggregatesRequest>, AggregatesAnswer> {
  return new SharedRead({
    limits: { ...limits, batchSizeMax: 1 },
    onBatch,
    keyOf: (read) => JSON.stringify(read),
    groupOf: ({ tenant }) => tenant,
    subjectOf: () => '',
    bytesOf: () => 0,
    readMany: (reads, signal) => Promise.all(reads.map(async ({ tenant, request }) => {
      return toAggregatesAnswer(request, await client.query(aggregatesQuery(tenant, request), signal))
    }))
  })
}
