import { parseTime } from '../../contract/index.ts'
import { ParameterFaults } from '../../http/index.ts'
import { bucketStarts } from './buckets.ts'
import { fieldOf, functionsOf, isGroupable, streamOf } from './catalogue.ts'
import { parseFilters, parseHaving } from './parse-condition.ts'
import { QUESTION_LIMITS } from './question.ts'
import { TimeZone } from './time-zone.ts'
import type { Field, Stream } from '../../contract/index.ts'
import type { ConditionInput } from './parse-condition.ts'
import type { BucketName, Measure, MeasureFunction, Order, Question, TimeBuckets } from './question.ts'

/** A question as the schema lets it through: shapes and lengths hold, names are not looked up yet. */
export interface QuestionInput {
  stream: string
  measures: MeasureInput[]
  group_by?: string[]
  time: { from: string, to: string, bucket?: BucketName, timezone?: string }
  filters?: ConditionInput | ConditionInput[]
  having?: ConditionInput | ConditionInput[]
  order_by?: Array<{ by: string, direction?: Order['direction'] }>
  limit?: number
  fill?: boolean
  top?: { n: number, by?: string }
}

interface MeasureInput {
  fn: MeasureFunction
  field?: string
  level?: number
}

const ROWS_DEFAULT = 1000
const MS = 1000

/**
 * The question, with its names looked up in the catalogue and its buckets laid out. Throws MillraceError with
 * all faults: `unknown_value`, `unknown_field`, `wrong_type`, `invalid_time`, `invalid_time_range`,
 * `invalid_query`.
 */
export function parseQuestion (input: QuestionInput): Question {
  const faults = new ParameterFaults()
  const stream = streamOf(input.stream)
  if (stream === undefined) faults.add('/stream', 'unknown_value', 'there is no such stream; see GET /streams')
  faults.throwIfAny()
  const question = readQuestion(stream as Stream, input, faults)
  faults.throwIfAny()
  return question
}

function readQuestion (stream: Stream, input: QuestionInput, faults: ParameterFaults): Question {
  const measures = parseMeasures(stream, input.measures, faults)
  const groupBy = parseGroups(stream, input.group_by ?? [], faults)
  const time = parseTimes(input, faults)
  const top = parseTop(input, measures, faults)
  const filters = input.filters === undefined
    ? undefined
    : parseFilters(input.filters, (name) => fieldOf(stream, name), faults)
  const having = input.having === undefined ? undefined : parseHaving(input.having, measures, faults)
  if (input.fill === true && input.time.bucket === undefined) {
    faults.add('/fill', 'invalid_query', 'fills gaps between buckets: name time.bucket')
  }
  if (input.fill === true && input.having !== undefined) {
    faults.add('/fill', 'invalid_query', 'would bring back the buckets that having leaves out')
  }
  const columns = [
    ...(input.time.bucket === undefined ? [] : ['bucket']), ...groupBy.map(({ name }) => name),
    ...measures.map(({ name }) => name)
  ]
  return {
    stream,
    measures,
    groupBy,
    ...time,
    ...(filters === undefined ? {} : { filters }),
    ...(having === undefined ? {} : { having }),
    ...(top === undefined ? {} : { top }),
    orderBy: parseOrder(input.order_by ?? [], columns, faults),
    limit: input.limit ?? ROWS_DEFAULT,
    fill: input.fill ?? false
  }
}

function parseMeasures (stream: Stream, inputs: readonly MeasureInput[], faults: ParameterFaults): Measure[] {
  const names = new Set<string>()
  return inputs.flatMap((input, index) => {
    const measure = parseMeasure(stream, input, `/measures/${index}`, faults)
    if (measure === undefined) return []
    if (names.has(measure.name)) faults.add(`/measures/${index}`, 'invalid_query', `${measure.name} stands twice`)
    names.add(measure.name)
    return [measure]
  })
}

function parseMeasure (
  stream: Stream, { fn, field: fieldName, level }: MeasureInput, path: string, faults: ParameterFaults
): Measure | undefined {
  if ((fn === 'quantile') !== (level !== undefined)) {
    return faults.add(path, 'invalid_query', 'level belongs to quantile, and quantile needs one')
  }
  if (fn === 'count') {
    return fieldName === undefined
      ? { name: 'count', fn }
      : faults.add(`${path}/field`, 'invalid_query', 'count counts events, and has no field')
  }
  if (fieldName === undefined) return faults.add(`${path}/field`, 'missing_field', `${fn} needs a field`)
  const field = fieldOf(stream, fieldName)
  if (field === undefined) return faults.add(`${path}/field`, 'unknown_field', 'the stream has no such field')
  if (!functionsOf(stream, field).includes(fn)) {
    return faults.add(`${path}/fn`, 'invalid_query', `there is no ${fn} of ${field.name}`)
  }
  if (level === undefined) return { name: `${fn}_${field.name}`, fn, field }
  if (Math.round(level * 1000) / 1000 !== level) {
    return faults.add(`${path}/level`, 'out_of_range', 'must have at most three decimals')
  }
  return { name: `p${levelName(level)}_${field.name}`, fn, field, level }
}

/** 0.5 is 50, 0.999 is 99_9. */
function levelName (level: number): string {
  return String(Math.round(level * 1000) / 10).replace('.', '_')
}

function parseGroups (stream: Stream, names: readonly string[], faults: ParameterFaults): Field[] {
  return names.flatMap((name, index) => {
    const path = `/group_by/${index}`
    const field = fieldOf(stream, name)
    if (field === undefined) return faults.add(path, 'unknown_field', 'the stream has no such field') ?? []
    if (!isGroupable(field)) {
      return faults.add(path, 'invalid_query', `a field of type ${field.kind} makes no groups`) ?? []
    }
    return [field]
  })
}

function parseTimes (
  { time }: QuestionInput, faults: ParameterFaults
): Pick<Question, 'fromMs' | 'toMs' | 'buckets'> {
  const fromMs = parseTime(time.from) as number
  const toMs = parseTime(time.to) as number
  if (fromMs >= toMs) faults.add('/time', 'invalid_time_range', 'from must be before to')
  const { bucket, timezone = 'UTC' } = time
  const zone = TimeZone.of(timezone)
  if (zone === undefined) faults.add('/time/timezone', 'unknown_value', 'must be an IANA time zone')
  if (bucket === undefined || zone === undefined || fromMs >= toMs) return { fromMs, toMs }
  const starts = bucketStarts({
    bucket,
    zone,
    from: Math.floor(fromMs / MS),
    to: Math.ceil(toMs / MS),
    countMax: QUESTION_LIMITS.buckets
  })
  if (starts === undefined) {
    faults.add('/time', 'invalid_time_range', `must not have more than ${QUESTION_LIMITS.buckets} buckets`)
    return { fromMs, toMs }
  }
  const buckets: TimeBuckets = { name: bucket, timeZone: timezone, starts }
  return { fromMs, toMs, buckets }
}

function parseTop (
  { top, group_by: groupBy = [] }: QuestionInput, measures: readonly Measure[], faults: ParameterFaults
): Question['top'] {
  if (top === undefined) return undefined
  if (groupBy.length === 0) return faults.add('/top', 'invalid_query', 'is of groups: name group_by')
  const by = top.by === undefined ? measures[0] : measures.find(({ name }) => name === top.by)
  if (by === undefined) return faults.add('/top/by', 'unknown_field', 'no measure has this name')
  return { n: top.n, by }
}

function parseOrder (
  inputs: NonNullable<QuestionInput['order_by']>, columns: readonly string[], faults: ParameterFaults
): Order[] {
  return inputs.map(({ by, direction = 'asc' }, index) => {
    if (!columns.includes(by)) faults.add(`/order_by/${index}/by`, 'unknown_field', 'the answer has no such column')
    return { by, direction }
  })
}
