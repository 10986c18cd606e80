/**
 * The count at the end of a run: what clients were told, against what the tables hold. It shares no code with
 * the pipeline: SQL of its own, and events that say who they are (numbered-events.ts).
 */
import { GROUP_SIZE, minuteOfGroup, numberOf, tagOf, viewOf } from './numbered-events.ts'
import type { Rows } from '../clickhouse-sql.ts'
import type { SentEvents } from './sent-events.ts'

/** One thing that must hold, and how often it does not. */
export interface Check {
  name: string
  mismatches: number
  /** Some of them. */
  examples: string[]
}

const EXAMPLES_MAX = 5

export interface StreamRows {
  /** How often each event is in the table. */
  times: Map<number, number>
  checks: Check[]
}

/** Each acknowledged event once, each other one at most once, none that nobody sent. */
function presenceChecks (
  table: string, { sent, acknowledged }: SentEvents, times: ReadonlyMap<number, number>
): Check[] {
  return [
    check(`${table}: every acknowledged event is there`, [...acknowledged].filter((n) => !times.has(n))),
    check(`${table}: no event is there twice`, [...times].filter(([, count]) => count !== 1).map(([n]) => n)),
    check(`${table}: every event was sent`, [...times.keys()].filter((n) => !sent.has(n)))
  ]
}

/** Rows of user_tags or of its copy by shopper: which events they are, and that each is as it was sent. */
export async function readTags (sql: Rows, table: string, sent: SentEvents): Promise<StreamRows> {
  const rows = await sql.rows<[string, ...unknown[]]>(
    `SELECT event_id, toUnixTimestamp64Milli(time), cookie, country, device, action, origin, product_id, brand_id,
       category_id, price FROM ${table}`)
  return toStreamRows(table, sent, rows, (n) => {
    const { time, product_info: product, ...tag } = tagOf(n)
    const { product_id: id, brand_id: brand, category_id: category, price } = product
    const own = [tag.cookie, tag.country, tag.device, tag.action, tag.origin]
    return [Date.parse(time), ...own, String(id), brand, category, price]
  })
}

/** The same for page_views and its copy by user. */
export async function readViews (sql: Rows, table: string, sent: SentEvents): Promise<StreamRows> {
  const rows = await sql.rows<[string, ...unknown[]]>(
    `SELECT event_id, toUnixTimestamp64Milli(timestamp), user_id, name FROM ${table}`)
  return toStreamRows(table, sent, rows, (n) => {
    const { timestamp, user_id: user, name } = viewOf(n)
    return [Date.parse(timestamp), user, name]
  })
}

/** The minute sums: of which events they are made, and that each is in its minute. */
export async function readMinuteSums (sql: Rows, sent: SentEvents): Promise<StreamRows> {
  const table = 'user_tags_by_minute'
  const rows = await sql.rows<[string, number, number, number]>(
    `SELECT origin, toUnixTimestamp(minute), sum(count), sum(sum_price) FROM ${table} GROUP BY origin, minute`)
  const times = new Map<number, number>()
  const uncertain: string[] = []
  const elsewhere: string[] = []
  for (const [origin, minute, count, sum] of rows) {
    const group = Number(origin.slice(1))
    if (minute * 1000 !== minuteOfGroup(group)) elsewhere.push(origin)
    const places = Array.from({ length: GROUP_SIZE }, (_, place) => place)
    const members = places.filter((place) => (sum & (1 << place)) !== 0)
    // As many events as the sum has powers of two: then they are these, each once.
    if (members.length !== count || sum >= 2 ** GROUP_SIZE) uncertain.push(`${origin}: ${count} events, sum ${sum}`)
    for (const place of members) {
      const n = group * GROUP_SIZE + place
      times.set(n, (times.get(n) ?? 0) + 1)
    }
  }
  return {
    times,
    checks: [
      ...presenceChecks(table, sent, times),
      check(`${table}: each sum is made of different events, each once`, uncertain),
      check(`${table}: each sum is in its minute`, elsewhere)
    ]
  }
}

/** What one table has and another has not: also events that nobody acknowledged are in all or in none. */
export function agreementCheck (name: string, one: StreamRows, other: StreamRows): Check {
  const different = [
    ...[...one.times.keys()].filter((n) => !other.times.has(n)),
    ...[...other.times.keys()].filter((n) => !one.times.has(n))
  ]
  return check(name, different)
}

/** Whoever sent an event how often: a record of the log becomes one row at most. */
export async function positionsCheck (sql: Rows, table: string): Promise<Check> {
  const rows = await sql.rows<[number, number, number]>(
    `SELECT _partition, _offset, count() AS times FROM ${table} GROUP BY _partition, _offset HAVING times > 1`)
  return check(`${table}: no record of the log is stored twice`, rows)
}

export function check (name: string, faults: readonly unknown[]): Check {
  return { name, mismatches: faults.length, examples: faults.slice(0, EXAMPLES_MAX).map(String) }
}

function toStreamRows (
  table: string,
  sent: SentEvents,
  rows: ReadonlyArray<[string, ...unknown[]]>,
  expected: (n: number) => unknown[]
): StreamRows {
  const times = new Map<number, number>()
  const changed: string[] = []
  for (const [id, ...columns] of rows) {
    const n = numberOf(id)
    times.set(n, (times.get(n) ?? 0) + 1)
    if (JSON.stringify(columns) !== JSON.stringify(expected(n))) changed.push(`${id}: ${JSON.stringify(columns)}`)
  }
  return {
    times,
    checks: [...presenceChecks(table, sent, times), check(`${table}: every event is as it was sent`, changed)]
  }
}
