import type { Field, Stream } from '../../contract/index.ts'

/** Bounds of one question; docs/query.md states them, and the schema is made from them. */
export const QUESTION_LIMITS = Object.freeze({
  /**
   * Bytes of a question's JSON: its values, quoted twice, and the starts of its buckets stay below the
   * 256 KiB that ClickHouse reads as one statement.
   */
  bodyBytes: 32 * 1024,
  /** Bytes of a saved question, which travels in a URL. */
  savedBytes: 6 * 1024,
  /** Nesting of the JSON itself, looked at before anything walks it. */
  jsonDepth: 24,
  measures: 20,
  groupBy: 8,
  orderBy: 8,
  /** Conditions of `filters`, and of `having`, with `and`, `or` and `not` counted. */
  conditions: 64,
  conditionDepth: 8,
  listValues: 1000,
  buckets: 10_000,
  top: 1000,
  rows: 10_000
})

export const FUNCTIONS = [
  'count', 'sum', 'avg', 'min', 'max', 'uniq', 'uniq_approx', 'quantile'
] as const
export type MeasureFunction = typeof FUNCTIONS[number]

export const OPERATORS = [
  '=', '!=', 'in', 'not_in', '<', '<=', '>', '>=', 'contains', 'starts_with'
] as const
export type Operator = typeof OPERATORS[number]

/** Length of a bucket, by its name: a number of seconds, or of calendar months. */
export const BUCKETS = {
  '1s': { seconds: 1 },
  '5s': { seconds: 5 },
  '10s': { seconds: 10 },
  '15s': { seconds: 15 },
  '30s': { seconds: 30 },
  '1m': { seconds: 60 },
  '5m': { seconds: 300 },
  '10m': { seconds: 600 },
  '15m': { seconds: 900 },
  '30m': { seconds: 1800 },
  '1h': { seconds: 3600 },
  '2h': { hours: 2 },
  '3h': { hours: 3 },
  '4h': { hours: 4 },
  '6h': { hours: 6 },
  '12h': { hours: 12 },
  '1d': { days: 1 },
  '1w': { days: 7 },
  '1mo': { months: 1 }
} as const
export type BucketName = keyof typeof BUCKETS

export interface Measure {
  /** Column of the answer, such as `sum_price`; unique in a question. */
  name: string
  fn: MeasureFunction
  /** Absent for `count`. */
  field?: Field
  /** Of a quantile, 0 to 1. */
  level?: number
}

export type ConditionValue = string | number | boolean | null | readonly string[] | readonly number[]

/** A tree over what `Subject` names: fields for filters, measures for having. */
export type Condition<Subject> =
  | { and: ReadonlyArray<Condition<Subject>> }
  | { or: ReadonlyArray<Condition<Subject>> }
  | { not: Condition<Subject> }
  | { subject: Subject, op: Operator, value: ConditionValue }

export interface Order {
  /** A measure's or group's column, or `bucket`. */
  by: string
  direction: 'asc' | 'desc'
}

export interface TimeBuckets {
  name: BucketName
  timeZone: string
  /** Epoch seconds at which each bucket of the range begins, ascending; the first may lie before `from`. */
  starts: readonly number[]
}

/** A question that fits the catalogue: every field is one of the stream's, every list within its limit. */
export interface Question {
  stream: Stream
  measures: readonly Measure[]
  groupBy: readonly Field[]
  /** Epoch milliseconds, `[fromMs, toMs)`. */
  fromMs: number
  toMs: number
  buckets?: TimeBuckets
  filters?: Condition<Field>
  having?: Condition<Measure>
  orderBy: readonly Order[]
  limit: number
  /** Buckets without events are rows too. */
  fill: boolean
  /** The n groups with the most of a measure, by themselves; the rest as one group. */
  top?: { n: number, by: Measure }
}
