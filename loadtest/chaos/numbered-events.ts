/**
 * Events that say who they are: every field of event n follows from n, so that whoever finds a row knows what
 * it must look like, and whoever finds a sum knows of which events it is made.
 */

/**
 * Events of a group share everything that the minute sums are grouped by; the prices of a group are different
 * powers of two. A sum of so many prices as it has binary ones can only be made of different ones: the sum of
 * a group names each of its events.
 */
export const GROUP_SIZE = 24

const START_MS = Date.UTC(2022, 2, 22, 12)
const MINUTE_MS = 60_000
const MINUTES = 180
const SHOPPERS = 2_000
const USERS = 500
const PAGES = 40
const DEVICES = ['PC', 'MOBILE', 'TV']

export interface NumberedTag {
  event_id: string
  time: string
  cookie: string
  country: string
  device: string
  action: string
  origin: string
  product_info: { product_id: number, brand_id: string, category_id: string, price: number }
}

export interface NumberedView {
  event_id: string
  timestamp: string
  user_id: string
  name: string
}

export function tagOf (n: number): NumberedTag {
  const group = Math.floor(n / GROUP_SIZE)
  return {
    event_id: `t${n}`,
    time: new Date(minuteOfGroup(group) + (n % GROUP_SIZE) * 2_001).toISOString(),
    cookie: `shopper-${scatter(n) % SHOPPERS}`,
    country: 'PL',
    device: DEVICES[n % DEVICES.length] as string,
    action: group % 3 === 0 ? 'BUY' : 'VIEW',
    origin: `g${group}`,
    product_info: {
      product_id: n, brand_id: `brand-${group % 7}`, category_id: `category-${group % 5}`, price: 2 ** (n % GROUP_SIZE)
    }
  }
}

export function viewOf (n: number): NumberedView {
  return {
    event_id: `v${n}`,
    timestamp: new Date(START_MS + (n % (MINUTES * MINUTE_MS))).toISOString(),
    user_id: `user-${scatter(n) % USERS}`,
    name: `/page/${n % PAGES}`
  }
}

/** n of an event's id. */
export function numberOf (id: string): number {
  return Number(id.slice(1))
}

/** Epoch milliseconds of the minute that all events of a group are in. */
export function minuteOfGroup (group: number): number {
  return START_MS + (group % MINUTES) * MINUTE_MS
}

/** Neighbours get subjects, and so partitions, that have nothing to do with each other. */
function scatter (n: number): number {
  return Math.imul(n, 2_654_435_761) >>> 0
}
