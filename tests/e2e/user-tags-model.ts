/**
 * What user_tags has to answer, worked out the plain way from the list of its events. It is written from the
 * contract alone: it shares no code with the pipeline.
 */
import type { Tag } from './user-tag-events.ts'

export interface AggregatesQuestion {
  fromMs: number
  minutes: number
  action: string
  aggregates: readonly string[]
  filters: Readonly<Partial<Record<'origin' | 'brand_id' | 'category_id', string>>>
}

const MINUTE_MS = 60_000

/** The tag as it comes back, and where it stands. */
interface Known {
  ms: number
  text: string
  tag: Tag
}

export class UserTagsModel {
  readonly #byList = new Map<string, Known[]>()
  readonly #byMinute = new Map<number, Tag[]>()

  constructor (tags: readonly Tag[]) {
    for (const tag of tags) {
      const ms = Date.parse(tag.time)
      const key = JSON.stringify([tag.cookie, tag.action])
      const list = this.#byList.get(key) ?? []
      list.push({ ms, text: canonical(tag), tag })
      this.#byList.set(key, list)
      const minute = Math.floor(ms / MINUTE_MS)
      this.#byMinute.set(minute, [...this.#byMinute.get(minute) ?? [], tag])
    }
    for (const list of this.#byList.values()) list.sort((a, b) => b.ms - a.ms)
  }

  /**
   * What is wrong with a list of a profile, or undefined. Events of one millisecond may come in any order,
   * and a limit may cut anywhere among them.
   */
  faultOfList (
    { cookie, action, fromMs, toMs, limit }: {
      cookie: string, action: string, fromMs: number, toMs: number, limit: number
    },
    answer: readonly unknown[]
  ): string | undefined {
    const expected = (this.#byList.get(JSON.stringify([cookie, action])) ?? [])
      .filter(({ ms }) => ms >= fromMs && ms < toMs)
    const count = Math.min(limit, expected.length)
    if (answer.length !== count) return `${answer.length} tags instead of ${count}`
    const left = new Map<string, { ms: number, count: number }>()
    for (const { ms, text } of expected) left.set(text, { ms, count: (left.get(text)?.count ?? 0) + 1 })
    for (const [index, one] of answer.entries()) {
      const text = canonical(one)
      const known = left.get(text)
      if (known === undefined || known.count === 0) return `tag ${index} is not expected: ${text}`
      known.count -= 1
      const wanted = expected[index] as Known
      if (known.ms !== wanted.ms) return `tag ${index} is out of order: ${text} where ${wanted.text} was due`
    }
    return undefined
  }

  aggregates ({ fromMs, minutes, action, aggregates, filters }: AggregatesQuestion): object {
    const names = (['origin', 'brand_id', 'category_id'] as const).filter((name) => filters[name] !== undefined)
    const rows = Array.from({ length: minutes }, (_, index) => {
      const startMs = fromMs + index * MINUTE_MS
      const tags = (this.#byMinute.get(startMs / MINUTE_MS) ?? []).filter((tag) => {
        const fields = { ...tag.product_info, origin: tag.origin }
        return tag.action === action && names.every((name) => fields[name] === filters[name])
      })
      const cells: Record<string, string> = {
        COUNT: String(tags.length),
        SUM_PRICE: String(tags.reduce((sum, tag) => sum + tag.product_info.price, 0))
      }
      return [
        new Date(startMs).toISOString().slice(0, 19), action, ...names.map((name) => filters[name]),
        ...aggregates.map((name) => cells[name])
      ]
    })
    return { columns: ['1m_bucket', 'action', ...names, ...aggregates.map((name) => name.toLowerCase())], rows }
  }
}

/** JSON with the members of every object in one order. */
function canonical (value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1))
  })
}
