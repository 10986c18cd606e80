import { clientSignal } from '../client-signal.ts'
import { parseUserStatisticsRequest } from '../parse-user-statistics-request.ts'
import { tenantOf } from '../../http/index.ts'
import { USER_STATISTICS_OPERATION } from '../operations/systems.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { TenantRequest } from '../readers.ts'
import type { UserStatistics } from '../queries/user-statistics.ts'
import type { UserStatisticsRequest } from '../parse-user-statistics-request.ts'

export interface UserStatisticsOptions {
  userStatistics: SharedRead<TenantRequest<UserStatisticsRequest>, UserStatistics>
  now: () => number
}

interface UserStatisticsRoute {
  Params: { user_id: string }
  Querystring: RawQuery
}

/**
 * `GET /user/{user_id}?days=1..90&as_of=<time>`: what the user viewed in `(as_of - days × 24 h, as_of]`; the
 * last 7 days to now by default. An unknown user has zeros and null.
 *
 * The names of the answer's fields stay the same for every number of days: clients know them, and the request
 * has the number.
 */
export function registerUserStatistics (
  server: FastifyInstance, { userStatistics, now }: UserStatisticsOptions
): void {
  const config = { access: { scope: 'query' as const }, operation: USER_STATISTICS_OPERATION }
  server.get<UserStatisticsRoute>('/user/:user_id', { config }, async (request, reply) => {
    const statisticsRequest = parseUserStatisticsRequest(request.params.user_id, request.query, now())
    const read = { tenant: tenantOf(request), request: statisticsRequest }
    const statistics = await userStatistics.read(read, clientSignal(reply))
    return {
      user_id: statisticsRequest.userId,
      number_pages_viewed_the_last_7_days: statistics.views,
      time_spent_on_site_last_7_days: statistics.minutesSpent,
      number_of_days_active_last_7_days: statistics.daysActive,
      most_viewed_page_last_7_days: statistics.mostViewedPage
    }
  })
}
