import { clientSignal } from '../client-signal.ts'
import { parseProfileRequest } from '../parse-profile-request.ts'
import { tenantOf } from '../../http/index.ts'
import { PROFILE_OPERATION } from '../operations/user-tags.ts'
import type { FastifyInstance } from 'fastify'
import type { Profile } from '../queries/profiles.ts'
import type { ProfileRequest } from '../parse-profile-request.ts'
import type { RawQuery } from '../../http/index.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { TenantRequest } from '../readers.ts'

export interface UserProfilesOptions {
  profiles: SharedRead<TenantRequest<ProfileRequest>, Profile>
}

interface UserProfilesRoute {
  Params: { cookie: string }
  Querystring: RawQuery
}

/**
 * `POST /user_profiles/{cookie}?time_range=<from>_<to>&limit=<n>`: the shopper's newest views and buys in
 * `[from, to)`, newest first, each as it was sent. An unknown shopper has empty lists.
 */
export function registerUserProfiles (server: FastifyInstance, { profiles }: UserProfilesOptions): void {
  server.post<UserProfilesRoute>('/user_profiles/:cookie', {
    config: { access: { scope: 'query' }, operation: PROFILE_OPERATION }
  }, async (request, reply) => {
    const profileRequest = parseProfileRequest(request.params.cookie, request.query)
    const { cookie, timeRange, limit } = profileRequest
    if (limit === 0 || timeRange.fromMs === timeRange.toMs) return { cookie, views: [], buys: [] }
    const read = { tenant: tenantOf(request), request: profileRequest }
    const { views, buys } = await profiles.read(read, clientSignal(reply))
    return { cookie, views, buys }
  })
}
