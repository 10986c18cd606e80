import { parseTime } from '../../contract/index.ts'
import type { Interaction } from '../../contract/index.ts'

type Stage = number | string
interface Step { ms: number, device: string, elapsed: number, from: Stage | undefined, to: Stage }

/** The answers of `/apps/{app}/…` about one app's events, which are in the order of the log; both ends in. */
export function reportsOf (
  events: readonly Interaction[], fromMs: number, toMs: number
): Record<string, object[]> {
  const timed = events.map((event) => ({ event, ms: parseTime(event.timestamp) as number }))
  const inside = timed.filter(({ ms }) => ms >= fromMs && ms <= toMs).map(({ event }) => event)
  const typed = (type: Interaction['type']) => inside.filter((event) => event.type === type)
  const entries = typed('funnel_change').filter(({ entered }) => entered !== undefined)
  const steps = stepsOf(timed).filter(({ ms, from }) => ms >= fromMs && ms <= toMs && from !== undefined)
  const changes = typed('url_change')
  const hovers = typed('btn_time').filter(({ target, action }) => {
    return target !== undefined && (action === 'hover_then_leave' || action === 'hover_then_clicked')
  })
  return {
    stages: groups(entries, ({ timestamp, entered }) => [timestamp.slice(0, 10), entered])
      .map(([[date, stage], own]) => ({ date, stage, unique_users: users(own) })),
    'stages/time': groups(steps, ({ from }) => [from]).map(([[stage], own]) => {
      const elapsed = sum(own.map((step) => step.elapsed))
      return { stage, elapsed, hit: own.length, average: elapsed / own.length }
    }),
    elements: groups(hovers, ({ target }) => [target]).map(([[element], own]) => elementOf(element, own)),
    conversion: groups(entries, ({ entered }) => [entered])
      .map(([[stage], own]) => ({ stage, ...share(users(own), users(inside)) })),
    devices: groups(typed('session_start'), ({ device }) => [device ?? null])
      .map(([[device], own]) => ({ device, ...share(users(own), users(typed('session_start'))) })),
    browsers: groups(typed('session_start'), ({ browser }) => [browser ?? null])
      .map(([[browser], own]) => ({ browser, ...share(users(own), users(typed('session_start'))) })),
    pages: pagesOf(changes),
    'journey?kind=stage': groups(steps, ({ from, to }) => [from, to]).map(([[from, to], own]) => {
      return { from, to, unique_users: new Set(own.map(({ device }) => device)).size, hits: own.length }
    }),
    'journey?kind=url': groups(
      changes.filter((change) => change.from_url !== undefined && change.to_url !== undefined),
      (change) => [change.from_url, change.to_url]
    ).map(([[from, to], own]) => ({ from, to, unique_users: users(own), hits: own.length }))
  }
}

function stepsOf (timed: ReadonlyArray<{ event: Interaction, ms: number }>): Step[] {
  const before = new Map<string, Stage>()
  return timed.filter(({ event }) => event.type === 'funnel_change' && event.entered !== undefined)
    .toSorted((a, b) => a.ms - b.ms)
    .map(({ event, ms }) => {
      const from = event.from_stage ?? before.get(event.device_id)
      const to = event.entered as Stage
      before.set(event.device_id, to)
      return { ms, device: event.device_id, elapsed: event.elapsed_time, from, to }
    })
}

function elementOf (element: unknown, own: readonly Interaction[]): object {
  const leaves = own.filter(({ action }) => action === 'hover_then_leave')
  const clicks = own.filter(({ action }) => action === 'hover_then_clicked')
  const elapsed = (events: readonly Interaction[]) => sum(events.map((event) => event.elapsed_time))
  return {
    element,
    hover_leave: leaves.length,
    elapsed_leave: elapsed(leaves),
    hover_click: clicks.length,
    elapsed_click: elapsed(clicks),
    hit: own.length,
    percent_leave: percent(leaves.length, own.length),
    percent_click: percent(clicks.length, own.length),
    average_elapsed: elapsed(own) / own.length
  }
}

function pagesOf (changes: readonly Interaction[]): object[] {
  const pages = new Set(changes.flatMap((change) => [change.from_url, change.to_url]))
  return [...pages].filter((page) => page !== undefined).sort(compare).map((page) => {
    const left = changes.filter((change) => change.from_url === page)
    const elapsed = sum(left.map((change) => change.elapsed_time))
    return {
      page,
      views: changes.filter((change) => change.to_url === page).length,
      elapsed,
      hit: left.length,
      average: left.length === 0 ? null : elapsed / left.length
    }
  })
}

/** Items by key, in the order of the keys. */
function groups<Item> (items: readonly Item[], keyOf: (item: Item) => unknown[]): Array<[unknown[], Item[]]> {
  const byKey = Map.groupBy(items, (item) => JSON.stringify(keyOf(item)))
  return [...byKey].map(([key, own]): [unknown[], Item[]] => [JSON.parse(key), own])
    .sort(([a], [b]) => a.reduce<number>((order, part, index) => order || compare(part, b[index]), 0))
}

/** Numbers first, then text by its bytes, then null. */
function compare (a: unknown, b: unknown): number {
  const rank = (value: unknown) => typeof value === 'number' ? 0 : typeof value === 'string' ? 1 : 2
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (typeof a === 'number') return a - (b as number)
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))
}

function users (events: readonly Interaction[]): number {
  return new Set(events.map((event) => event.device_id)).size
}

function share (part: number, whole: number): object {
  return { unique_users: part, total_users: whole, percent: percent(part, whole) }
}

function percent (part: number, whole: number): number {
  return Math.round(part / whole * 1000) / 10
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
