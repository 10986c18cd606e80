import { formatTime, parseTime } from '../../contract/index.ts'
import type { PageView } from '../../contract/index.ts'

const SESSION_GAP_MS = 30 * 60_000

/** What `GET /user/{user_id}` answers about one tenant's views, which are in the order of the log. */
export function userStatisticsOf (views: readonly PageView[], userId: string, asOfMs: number, days: number) {
  const own = views
    .map((view) => ({ name: view.name, ms: parseTime(view.timestamp) as number, user: view.user_id }))
    .filter(({ user, ms }) => user === userId && ms > asOfMs - days * 86_400_000 && ms <= asOfMs)
    .sort((a, b) => a.ms - b.ms)
  const counts = new Map<string, number>()
  for (const { name } of own) counts.set(name, (counts.get(name) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return {
    user_id: userId,
    number_pages_viewed_the_last_7_days: own.length,
    time_spent_on_site_last_7_days: minutesSpent(own.map(({ ms }) => ms)),
    number_of_days_active_last_7_days: new Set(own.map(({ ms }) => formatTime(ms).slice(0, 10))).size,
    most_viewed_page_last_7_days: own.findLast(({ name }) => counts.get(name) === most)?.name ?? null
  }
}

/** Minutes of the sessions that ascending times make: each its length and one more. */
export function minutesSpent (times: readonly number[]): number {
  const sessions: Array<{ first: number, last: number }> = []
  for (const ms of times) {
    const session = sessions.at(-1)
    if (session !== undefined && ms - session.last <= SESSION_GAP_MS) session.last = ms
    else sessions.push({ first: ms, last: ms })
  }
  return sessions.reduce((sum, { first, last }) => sum + (last - first) + 60_000, 0) / 60_000
}
