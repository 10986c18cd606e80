import { BUCKETS } from '../../../query-api/questions/question.ts'
import { measureName } from './model.ts'
import type { ConditionInput } from '../../../query-api/questions/parse-condition.ts'
import type { QuestionInput } from '../../../query-api/questions/parse-question.ts'
import type { BucketName, Operator } from '../../../query-api/questions/question.ts'

/** What random questions may name of a stream. */
export interface QuestionSpace {
  stream: string
  fromMs: number
  toMs: number
  groups: readonly string[]
  measures: ReadonlyArray<QuestionInput['measures'][number]>
  /** Fields with the operators and values to try. */
  conditions: ReadonlyArray<{
    field: string, ops: readonly Operator[], values: ReadonlyArray<string | number>
  }>
  zones: readonly string[]
  buckets: readonly BucketName[]
}

export const ALL_BUCKETS = Object.keys(BUCKETS) as BucketName[]

/** A question without `order_by`, `limit` and `fill`, which the callers look at by themselves. */
export function randomQuestion (space: QuestionSpace, random: () => number): QuestionInput {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
  const some = <T>(values: readonly T[], most: number): T[] => {
    return values.toSorted(() => random() - 0.5).slice(0, Math.floor(random() * (most + 1)))
  }
  const leaf = (): ConditionInput => {
    const { field, ops, values } = pick(space.conditions)
    const op = pick(ops)
    return { field, op, value: op === 'in' || op === 'not_in' ? [pick(values), ...some(values, 3)] : pick(values) }
  }
  const tree = (depth: number): ConditionInput => {
    const roll = random()
    if (depth === 0 || roll < 0.5) return leaf()
    if (roll < 0.6) return { not: tree(depth - 1) }
    const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => tree(depth - 1))
    return roll < 0.8 ? { and: parts } : { or: parts }
  }
  const first = pick(space.measures)
  const measures = [first, ...some(space.measures, 3).filter((measure) => measure !== first)]
  const name = measureName(first)
  const groupBy = some(space.groups, 2)
  const bucket = random() < 0.6 ? pick(space.buckets) : undefined
  const grid = pick([60_000, 60_000, 3_600_000, 1, 977])
  const at = (share: number): number => {
    return Math.floor((space.fromMs + share * (space.toMs - space.fromMs)) / grid) * grid
  }
  const start = random()
  // Few buckets of a short length, so that an answer has fewer rows than an answer may have.
  const length = random() * (bucket?.endsWith('s') === true ? 0.002 : bucket === '1m' ? 0.5 : 1)
  const from = at(start)
  const to = Math.max(at(Math.min(1, start + length)), from + grid)
  return {
    stream: space.stream,
    measures,
    time: {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      ...(bucket === undefined ? {} : { bucket, timezone: pick(space.zones) })
    },
    limit: 10_000,
    ...(groupBy.length === 0 ? {} : { group_by: groupBy }),
    ...(random() < 0.6 ? { filters: random() < 0.5 ? tree(3) : [tree(1), tree(1)] } : {}),
    ...(random() < 0.15 ? { having: { field: name, op: pick(['>', '<=', '!='] as const), value: 3 } } : {}),
    ...(groupBy.length > 0 && random() < 0.3 ? { top: { n: 1 + Math.floor(random() * 3), by: name } } : {})
  }
}
