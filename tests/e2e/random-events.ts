/** Events at the edges of months, years and summer time, in no order, valid by the streams' own rules. */
import { formatTime } from '../../contract/index.ts'
import type { AnalyticsEvent, Interaction, PageView, Visit } from '../../contract/index.ts'
import { tag } from './user-tag-events.ts'
import type { Tag } from './user-tag-events.ts'
import type { SeededRandom } from '../support/seeded-random.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** A new year, a leap day's end, and changes of the clock in Warsaw and (by half an hour) on Lord Howe. */
const EDGES_MS = [
  Date.UTC(2024, 0, 1), Date.UTC(2024, 2, 1), Date.UTC(2024, 2, 31, 1), Date.UTC(2024, 3, 6, 15),
  Date.UTC(2024, 9, 27, 1)
]

const TEXTS = ['a', "a'", '__proto__', 'ä', '🛒', 'null', '/', '10', '9', '{x:String}']
const STAGES = [1, 2, 10, '1', '/home', '/ä', "it's"]

/** A millisecond near an edge: at it, on a grid around it, or anywhere within some days. */
export function timeNearEdge (random: SeededRandom): number {
  const edge = random.pick(EDGES_MS)
  switch (random.below(4)) {
    case 0: return edge + random.below(7) - 3
    case 1: return edge + (random.below(193) - 96) * 15 * MINUTE_MS - random.below(2)
    case 2: return edge + (random.below(2881) - 1440) * MINUTE_MS
    default: return edge + random.below(10 * DAY_MS) - 5 * DAY_MS
  }
}

/** A time as clients write it: in UTC with or without a fraction, or with an offset. */
export function timeText (random: SeededRandom, ms: number): string {
  switch (random.below(4)) {
    case 0: return formatTime(ms + 2 * 60 * MINUTE_MS).replace('Z', '+02:00')
    case 1: return formatTime(ms).replace('Z', '999Z')
    case 2: return ms % 1000 === 0 ? formatTime(ms).replace('.000Z', 'Z') : formatTime(ms)
    default: return formatTime(ms)
  }
}

export function randomPageView (random: SeededRandom): PageView {
  return { user_id: random.pick(TEXTS), name: random.pick(['/', '/b', "'c"]), timestamp: formatTime(timeNearEdge(random)) }
}

export function randomAnalyticsEvent (random: SeededRandom): AnalyticsEvent {
  return {
    user: `${random.pick(TEXTS)}${random.below(40)}`,
    event: random.pick(['click', 'impression'] as const),
    timestamp: formatTime(timeNearEdge(random))
  }
}

export function randomVisit (random: SeededRandom): Visit {
  return {
    identifier: `v${random.below(30)}`, pageUrl: random.pick(TEXTS), visitedAt: formatTime(timeNearEdge(random))
  }
}

/** A tag of few shoppers and products; its time comes back as it was sent. */
export function randomUserTag (random: SeededRandom): Tag {
  const time = formatTime(timeNearEdge(random))
  return tag({
    time: random.below(2) === 0 ? time.replace('.000Z', 'Z') : time,
    cookie: random.pick(TEXTS),
    country: random.pick(['PL', 'AU']),
    device: random.pick(['PC', 'MOBILE', 'TV']),
    action: random.pick(['VIEW', 'BUY']),
    origin: random.pick(ORIGINS),
    product: random.pick([7, '7', random.below(50)]),
    brand: random.pick(BRANDS),
    category: random.pick(['c', '_']),
    price: random.pick([0, -1, 2 ** 31 - 1, random.below(100_000)])
  })
}

export function randomInteraction (random: SeededRandom): Interaction {
  const common = {
    app: random.pick(APPS),
    device_id: `d${random.below(12)}`,
    timestamp: formatTime(timeNearEdge(random)),
    elapsed_time: random.below(400) / 4
  }
  const url = () => random.pick(['/', '/a', '/ä', "/'b"])
  const maybe = (name: string, value: unknown) => random.below(2) === 0 ? {} : { [name]: value }
  switch (random.below(6)) {
    case 0: return { ...common, type: 'click', target: random.pick(['//a', '//b']), current_url: url() }
    case 1: return { ...common, type: 'url_change', from_url: url(), to_url: url() }
    case 2: return {
      ...common,
      type: 'btn_time',
      target: random.pick(['//a', '//b', "//'"]),
      action: random.pick(['hover_then_leave', 'hover_then_clicked'] as const)
    }
    case 3: return {
      ...common,
      type: 'session_start',
      ...maybe('device', random.pick(['mobile', 'desktop'])),
      ...maybe('browser', random.pick(['Firefox', 'Chrome'])),
      ...maybe('os', 'Linux')
    }
    default: return {
      ...common,
      type: 'funnel_change',
      action: random.pick(['onClick', 'onUrlChange'] as const),
      entered: random.pick(STAGES),
      ...maybe('from_stage', random.pick(STAGES))
    }
  }
}

export const APPS = ['shop', "sh'op"]

/** A page view's users, to ask about. */
export const USERS = TEXTS

export const ORIGINS = ['a', 'a_b', "o'clock"]
export const BRANDS = ['b', 'b_c', 'null']

const NUMBERS: Partial<Record<Interaction['type'], number>> = {
  click: 0, url_change: 1, btn_time: 2, funnel_change: 3
}

/** An interaction as trackers send it to the route of its app. */
export function onTheWire (event: Interaction): object {
  const { app: _app, type, timestamp, from_url: from, to_url: to, action, ...rest } = event
  const ms = Date.parse(timestamp)
  return {
    ...rest,
    type: NUMBERS[type] ?? type.replaceAll('_', '-'),
    timestamp: ms % 1000 === 0 ? ms / 1000 : ms,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(action === undefined ? {} : { action: action.replaceAll('_', '-') })
  }
}
