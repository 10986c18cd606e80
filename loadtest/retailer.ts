/**
 * A synthetic retailer: user tags like those of a real shop, the same ones again from the same seed. Few
 * shoppers, campaigns and products make most of the traffic; a product always has the same brand, category
 * and price. Plain language only, without Node: k6 loads this file too.
 */
import type { UserTag } from '../contract/index.ts'

/** How many different values the traffic of a day has. */
export const CARDINALITIES = {
  cookies: 1_000_000,
  countries: 100,
  devices: 3,
  origins: 1_000,
  brands: 250,
  categories: 67,
  products: 20_000
} as const

/** Of eleven actions ten are views. */
const BUY_SHARE = 1 / 11
/**
 * Rank = count × u^skew for a uniform u. With 3, of a million shoppers the busiest 1 % make 22 % of the
 * events, and the busiest one 1 %.
 */
const COOKIE_SKEW = 3
const VALUE_SKEW = 2
const COOKIE_LENGTH = 20
/** So that rank 0, which the mixing function keeps, looks like the others. */
const COOKIE_SALT = 0x5eed
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

const DEVICES = ['PC', 'MOBILE', 'TV'] as const
const COUNTRIES = ('PL DE FR GB US ES IT NL CZ SK AT CH BE SE NO DK FI IE PT GR HU RO BG HR SI RS UA LT LV EE ' +
  'LU MT CY IS TR IL AE SA EG MA TN DZ NG KE ZA GH ET TZ UG SN CI CM IN PK BD LK NP CN JP KR TW HK SG MY TH ' +
  'VN PH ID AU NZ CA MX GT CR PA CO VE EC PE BO CL AR UY PY BR DO JM TT CU HN SV NI KZ UZ GE AM AZ MD BY MK'
).split(' ')
const BRAND_WORDS = ['Ebros', 'Nordia', 'Kaleo', 'Vanto', 'Lumis', 'Ostra', 'Pekora', 'Rivel', 'Santo', 'Tilda']
const BRAND_KINDS = ['Gift', 'Sport', 'Home', 'Kids', 'Basic']
const CATEGORY_NAMES = ['Trousers', 'Shoes', 'Shirts', 'Coats', 'Hats', 'Bags', 'Toys', 'Lamps']

/** A user tag without its time: what a pool keeps, for a time to be put in when it is sent. */
export type TimelessTag = Omit<UserTag, 'time'>

export interface Retailer {
  /** The next event, as if it happened at `nowMs`, epoch milliseconds. */
  next: (nowMs: number) => UserTag
  nextTimeless: () => TimelessTag
}

/** Everything that the retailer ever does follows from the seed. */
export function createRetailer (seed: number): Retailer {
  const random = createRandom(seed)
  const nextTimeless = (): TimelessTag => {
    const cookie = cookieOf(skewed(random, CARDINALITIES.cookies, COOKIE_SKEW))
    return {
      cookie,
      country: COUNTRIES[skewed(random, CARDINALITIES.countries, VALUE_SKEW)] as string,
      device: DEVICES[skewed(random, CARDINALITIES.devices, VALUE_SKEW)] as UserTag['device'],
      action: random() < BUY_SHARE ? 'BUY' : 'VIEW',
      origin: `CAMPAIGN_${skewed(random, CARDINALITIES.origins, VALUE_SKEW)}`,
      product_info: productOf(skewed(random, CARDINALITIES.products, VALUE_SKEW))
    }
  }
  return { nextTimeless, next: (nowMs) => ({ time: liveTime(nowMs), ...nextTimeless() }) }
}

/** The time as live traffic writes it: without the fraction where the milliseconds are 0. */
export function liveTime (ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}

/** The JSON of an event: a time put before the members of a serialised `TimelessTag`. */
export function withTime (timelessJson: string, ms: number): string {
  return `{"time":"${liveTime(ms)}",${timelessJson.slice(1)}`
}

/** Uniform in [0, 1), 32 bits fine: a counter through a mixing function, so that every seed is a good one. */
export function createRandom (seed: number): () => number {
  let counter = mix(seed)
  return () => {
    counter = (counter + 0x9e3779b9) | 0
    return (mix(counter) >>> 0) / 2 ** 32
  }
}

function skewed (random: () => number, count: number, skew: number): number {
  return Math.floor(count * random() ** skew)
}

/**
 * The cookie of a rank: letters that tell nothing of it. The first six hold a bijection of the rank, so no
 * two are the same.
 */
function cookieOf (rank: number): string {
  let text = ''
  for (let word = 0; text.length < COOKIE_LENGTH; word += 1) {
    let rest = mix(rank + word * 0x10000000 + COOKIE_SALT) >>> 0
    for (let letter = 0; letter < 6; letter += 1) {
      text += ALPHABET.charAt(rest % ALPHABET.length)
      rest = Math.floor(rest / ALPHABET.length)
    }
  }
  return text.slice(0, COOKIE_LENGTH)
}

function productOf (product: number): UserTag['product_info'] {
  const hash = mix(product) >>> 0
  const brand = hash % CARDINALITIES.brands
  const category = Math.floor(hash / CARDINALITIES.brands) % CARDINALITIES.categories
  return {
    product_id: 10_000 + product,
    brand_id: brandOf(brand),
    category_id: `${CATEGORY_NAMES[category % CATEGORY_NAMES.length]}_${category}`,
    price: 99 + hash % 50_000
  }
}

function brandOf (brand: number): string {
  const word = BRAND_WORDS[brand % BRAND_WORDS.length] as string
  const kind = BRAND_KINDS[Math.floor(brand / BRAND_WORDS.length) % BRAND_KINDS.length] as string
  const line = Math.floor(brand / (BRAND_WORDS.length * BRAND_KINDS.length))
  return line === 0 ? `${word}_${kind}` : `${word}_${kind}_${line}`
}

/** The 32-bit finaliser of MurmurHash3: a bijection. */
function mix (value: number): number {
  let bits = value | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
