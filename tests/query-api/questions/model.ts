import type { QuestionInput } from '../../../query-api/questions/parse-question.ts'

/** An event as the plain evaluator holds it: its fields by name, absent ones missing. */
export interface ModelEvent {
  ms: number
  fields: Readonly<Record<string, string | number>>
}

type Cell = string | number | boolean | null
type Condition = NonNullable<QuestionInput['filters']>
type Measure = QuestionInput['measures'][number]

/**
 * Answers a question from an array, the plain way. Independent of the code under test: buckets come from what
 * the local clock shows (`Intl`), not from a list of starts, and the bucket's cell is that local time.
 */
export function evaluate (question: QuestionInput, events: readonly ModelEvent[]): Cell[][] {
  const { time, group_by: groupBy = [], measures } = question
  const [from, to] = [Date.parse(time.from), Date.parse(time.to)]
  const local = time.bucket === undefined ? undefined : localBuckets(time.bucket, time.timezone ?? 'UTC')
  const chosen = events
    .filter(({ ms, fields }) => ms >= from && ms < to && holds(question.filters, fields))
  const keyOf = ({ fields }: ModelEvent): Cell[] => groupBy.map((name) => fields[name] ?? null)
  const top = topKeys(question, chosen, keyOf)
  const groups = new Map<string, { key: Cell[], events: ModelEvent[] }>()
  if (local === undefined && groupBy.length === 0) groups.set('[]', { key: [], events: [] })
  for (const event of chosen) {
    const group = keyOf(event)
    const other = top !== undefined && !top.has(JSON.stringify(group))
    const key = [
      ...(local === undefined ? [] : [local(event.ms)]),
      ...(other ? group.map(() => null) : group),
      ...(top === undefined ? [] : [other])
    ]
    const text = JSON.stringify(key)
    const entry = groups.get(text)
    if (entry === undefined) groups.set(text, { key, events: [event] })
    else entry.events.push(event)
  }
  const names = measures.map(measureName)
  return [...groups.values()]
    .map(({ key, events: members }) => [...key, ...measures.map((measure) => measured(measure, members))])
    .filter((row) => {
      const own = row.slice(-names.length)
      const cells = Object.fromEntries(names.map((name, index) => [name, own[index]]))
      return holds(question.having, cells as ModelEvent['fields'])
    })
}

export function measureName ({ fn, field, level }: Measure): string {
  if (fn === 'count') return 'count'
  if (level === undefined) return `${fn}_${field}`
  return `p${String(Math.round(level * 1000) / 10).replace('.', '_')}_${field}`
}

function topKeys (
  { top, measures }: QuestionInput, events: readonly ModelEvent[], keyOf: (event: ModelEvent) => Cell[]
): Set<string> | undefined {
  if (top === undefined) return undefined
  const measure = measures.find((candidate) => measureName(candidate) === top.by) ?? measures[0] as Measure
  const groups = Map.groupBy(events, (event) => JSON.stringify(keyOf(event)))
  const ranked = [...groups].map(([key, members]) => {
    return { key, cells: JSON.parse(key) as Cell[], value: measured(measure, members) as number }
  })
  ranked.sort((a, b) => b.value - a.value || compareKeys(a.cells, b.cells))
  return new Set(ranked.slice(0, top.n).map(({ key }) => key))
}

/** Absent values last, texts by their bytes. */
export function compareKeys (a: readonly Cell[], b: readonly Cell[]): number {
  for (const [index, left] of a.entries()) {
    const order = compareCells(left, b[index] as Cell)
    if (order !== 0) return order
  }
  return 0
}

export function compareCells (a: Cell, b: Cell): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return Number(a) - Number(b)
}

function measured ({ fn, field = '', level = 0 }: Measure, events: readonly ModelEvent[]): Cell {
  const values = events.map(({ fields }) => fields[field]).filter((value) => value !== undefined)
  const numbers = values as number[]
  switch (fn) {
    case 'count': return events.length
    case 'sum': return numbers.reduce((sum, value) => sum + value, 0)
    case 'avg': return numbers.length === 0 ? null : numbers.reduce((a, b) => a + b, 0) / numbers.length
    case 'min': return numbers.length === 0 ? null : numbers.reduce((least, value) => Math.min(least, value))
    case 'max': return numbers.length === 0 ? null : numbers.reduce((most, value) => Math.max(most, value))
    case 'uniq': case 'uniq_approx': return new Set(values).size
    case 'quantile': return quantile(numbers, level)
  }
}

/** Linear interpolation between the ordered values, both ends included. */
function quantile (numbers: readonly number[], level: number): number | null {
  if (numbers.length === 0) return null
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = level * (sorted.length - 1)
  const low = sorted[Math.floor(at)] as number
  const high = sorted[Math.ceil(at)] as number
  return low + (at - Math.floor(at)) * (high - low)
}

function holds (condition: Condition | undefined, fields: ModelEvent['fields']): boolean {
  if (condition === undefined) return true
  if (Array.isArray(condition)) return condition.every((part) => holds(part, fields))
  if (condition.and !== undefined) return condition.and.every((part) => holds(part, fields))
  if (condition.or !== undefined) return condition.or.some((part) => holds(part, fields))
  if (condition.not !== undefined) return !holds(condition.not, fields)
  const actual = fields[condition.field as string] ?? null
  const { op, value } = condition
  const list = Array.isArray(value) ? value : [value]
  if (op === '=' || op === 'in') return list.includes(actual)
  if (op === '!=' || op === 'not_in') return !list.includes(actual)
  if (actual === null) return false
  const order = compareCells(actual, value as Cell)
  switch (op) {
    case '<': return order < 0
    case '<=': return order <= 0
    case '>': return order > 0
    case '>=': return order >= 0
    case 'contains': return String(actual).includes(value as string)
    default: return String(actual).startsWith(value as string)
  }
}

/** The local time at which an instant's bucket begins, as text; with the offset for buckets up to an hour. */
export function localBuckets (bucket: string, timeZone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone, dateStyle: 'short', timeStyle: 'medium', hourCycle: 'h23'
  })
  const [, count = '1', unit = ''] = /^(\d+)(mo|[smhdw])$/.exec(bucket) ?? []
  const seconds = Number(count) * ({ s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, mo: 0 }[unit] ?? 0)
  return (ms) => {
    const text = format.format(ms)
    const local = Date.parse(`${text.replace(' ', 'T')}Z`) / 1000
    if (unit === 'mo') return text.slice(0, 7)
    const anchor = unit === 'w' ? 4 * 86_400 : 0
    const start = local - (((local - anchor) % seconds) + seconds) % seconds
    const offset = seconds <= 3600 ? ` ${local - Math.floor(ms / 1000)}` : ''
    return `${start}${offset}`
  }
}
