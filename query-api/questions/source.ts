import type { Field } from '../../contract/index.ts'
import type { Condition, Measure, Question } from './question.ts'

/** The table that a question is answered from, and how it names things. */
export interface Source {
  kind: 'rollup' | 'raw'
  table: string
  /** Why this table, for people. */
  reason: string
  /** SQL of the epoch second of an event or minute. */
  second: string
  /** SQL that holds within `[fromMs, toMs)`; the parameters are `from_ms` and `to_ms`. */
  range: string
  measureSql: (measure: Measure) => string
}

const MINUTE_MS = 60_000
const MINUTE_SECONDS = 60

/** The minute rollup where it gives the same answer as the raw table, else the raw table. */
export function chooseSource (question: Question): Source {
  const obstacle = rollupObstacle(question)
  return obstacle === undefined ? rollupSource(question) : rawSource(question, obstacle)
}

/** What keeps the rollup from answering; undefined where nothing does. */
function rollupObstacle (question: Question): string | undefined {
  const { stream: { rollup, tables }, groupBy, filters, measures, fromMs, toMs, buckets } = question
  if (rollup === undefined || tables.byMinute === undefined) return 'the stream has no rollup'
  const group = groupBy.find(({ name }) => !rollup.dimensions.includes(name))
  if (group !== undefined) return `the rollup has no ${group.name} to group by`
  const filter = filters === undefined
    ? undefined
    : subjectsOf(filters).find(({ name }) => !rollup.dimensions.includes(name))
  if (filter !== undefined) return `the rollup has no ${filter.name} to filter by`
  const measure = measures.find((candidate) => !inRollup(candidate, rollup))
  if (measure !== undefined) return `the rollup has no ${measure.name}`
  if (fromMs % MINUTE_MS !== 0 || toMs % MINUTE_MS !== 0) return 'the range does not begin and end on whole minutes'
  if (buckets !== undefined && buckets.starts.some((start) => start % MINUTE_SECONDS !== 0)) {
    return 'the buckets do not begin on whole minutes'
  }
  return undefined
}

function inRollup ({ fn, field }: Measure, rollup: NonNullable<Question['stream']['rollup']>): boolean {
  if (fn === 'count') return true
  if (field === undefined) return false
  if (fn === 'sum' || fn === 'avg') return rollup.sums.includes(field.name)
  return (fn === 'uniq' || fn === 'uniq_approx') && rollup.dimensions.includes(field.name)
}

function subjectsOf (condition: Condition<Field>): Field[] {
  if ('subject' in condition) return [condition.subject]
  if ('not' in condition) return subjectsOf(condition.not)
  return ('and' in condition ? condition.and : condition.or).flatMap(subjectsOf)
}

/** The raw table, whatever the question. */
export function rawSource ({ stream }: Question, reason: string): Source {
  const time = stream.eventTime
  return {
    kind: 'raw',
    table: stream.tables.raw,
    reason,
    second: `toUnixTimestamp(${time})`,
    range: `${time} >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')` +
      `\n  AND ${time} < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')`,
    measureSql: rawMeasureSql
  }
}

function rollupSource ({ stream }: Question): Source {
  return {
    kind: 'rollup',
    table: stream.tables.byMinute as string,
    reason: 'the minute rollup holds every group, filter and measure',
    second: 'toUnixTimestamp(minute)',
    range: "minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC')" +
      "\n  AND minute < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC')",
    measureSql: rollupMeasureSql
  }
}

/** Of no events: counts and sums are 0, the rest is NULL. */
function rawMeasureSql ({ fn, field, level }: Measure): string {
  const column = field?.name ?? ''
  switch (fn) {
    case 'count': return 'count()'
    case 'sum': return field?.kind === 'integer' && field.bits === 64 ? `sum(toInt128(${column}))` : `sum(${column})`
    case 'avg': return `avgOrNull(${column})`
    case 'min': return `minOrNull(${column})`
    case 'max': return `maxOrNull(${column})`
    case 'uniq': return `uniqExact(${column})`
    case 'uniq_approx': return `uniq(${column})`
    // The level is a number of at most three decimals: its text is digits.
    case 'quantile': return `quantileExactInclusiveOrNull(${(level as number).toFixed(3)})(${column})`
  }
}

function rollupMeasureSql (measure: Measure): string {
  const column = measure.field?.name ?? ''
  switch (measure.fn) {
    case 'count': return 'sum(count)'
    case 'sum': return `sum(sum_${column})`
    case 'avg': return `sum(sum_${column}) / nullIf(sum(count), 0)`
    default: return rawMeasureSql(measure)
  }
}
