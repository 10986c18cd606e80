import { QueryParams, conditionSql, fieldConditionSql } from './condition-sql.ts'
import { chooseSource } from './source.ts'
import type { Field } from '../../contract/index.ts'
import type { Measure, Order, Question, TimeBuckets } from './question.ts'
import type { Source } from './source.ts'

/** Longer than any range. */
const LONE_BUCKET_SECONDS = 2 ** 40

/** One column of an answer. */
export interface AnswerColumn {
  name: string
  type: 'time' | 'text' | 'integer' | 'number' | 'boolean'
}

export interface Plan {
  sql: string
  params: Readonly<Record<string, unknown>>
  table: string
  /** SELECT of what is scanned, for EXPLAIN ESTIMATE; the same parameters. */
  scanSql: string
  /** How often the query scans it. */
  scans: number
  columns: readonly AnswerColumn[]
  source: Source['kind']
  reason: string
  /** Rows of the answer; the query asks for one more, to see whether it was cut off. */
  limit: number
}

/**
 * The query of a question for one tenant. Pure. The text is made of the catalogue's names and of
 * placeholders; everything that came with the request is in `params`.
 */
export function planQuestion (question: Question, tenant: string, source = chooseSource(question)): Plan {
  const params = new QueryParams()
  Object.assign(params.values, { tenant, from_ms: question.fromMs, to_ms: question.toMs })
  const where = whereSql(question, source, params)
  const grouped = groupedSql(question, source, where, params)
  const rows = question.fill ? filledSql(question, grouped, params) : grouped
  const sql = `
SELECT
  ${outputs(question).map(({ sql, name }) => `${sql} AS \`${name}\``).join(',\n  ')}
FROM (
${indent(rows)}
)${havingSql(question, params)}
ORDER BY ${orderSql(question)}
LIMIT {row_limit:UInt32}`.trimStart()
  return {
    sql,
    params: { ...params.values, row_limit: question.limit + 1 },
    table: source.table,
    scanSql: `SELECT ${source.second} FROM ${source.table}\n${where}`,
    scans: question.top === undefined ? 1 : 2,
    columns: columnsOf(question),
    source: source.kind,
    reason: source.reason,
    limit: question.limit
  }
}

function whereSql ({ filters }: Question, source: Source, params: QueryParams): string {
  const filter = filters === undefined
    ? ''
    : `\n  AND (${conditionSql(filters, ({ subject, op, value }) => fieldConditionSql(subject, op, value, params))})`
  return `WHERE tenant = {tenant:String}\n  AND ${source.range}${filter}`
}

/** Rows by bucket and group: `slot` counts buckets from 0, `g0…` are groups, `m0…` measures. */
function groupedSql (question: Question, source: Source, where: string, params: QueryParams): string {
  const { buckets, groupBy, measures, top } = question
  const keys = [
    ...(buckets === undefined ? [] : [{ sql: slotSql(buckets, source.second, params), name: 'slot' }]),
    ...groupBy.map((field, index) => ({
      sql: top === undefined ? field.name : `if(is_other, NULL, ${field.name})`, name: `g${index}`
    })),
    ...(top === undefined ? [] : [{ sql: 'is_other', name: 'other' }])
  ]
  const columns = [...keys, ...measures.map((measure, index) => ({ sql: source.measureSql(measure), name: `m${index}` }))]
  const groups = keys.length === 0 ? '' : `\nGROUP BY ${keys.map(({ name }) => name).join(', ')}`
  const from = top === undefined
    ? `FROM ${source.table}\n${where}`
    : `FROM (\n${indent(markedSql(question, source, where, params))}\n)`
  return `SELECT\n  ${columns.map(({ sql, name }) => `${sql} AS ${name}`).join(',\n  ')}\n${from}${groups}`
}

/** Every row that is scanned, with whether its group is outside the top. */
function markedSql (
  { groupBy, top }: Question, source: Source, where: string, params: QueryParams
): string {
  const { n, by } = top as NonNullable<Question['top']>
  const keys = groupBy.flatMap(keySql)
  const names = keys.map((_, index) => `k${index}`)
  return `
SELECT
  *,
  (${keys.join(', ')}) NOT IN (
    SELECT ${keys.map((key, index) => `${key} AS k${index}`).join(', ')}
    FROM ${source.table}
${indent(where, 2)}
    GROUP BY ${names.join(', ')}
    ORDER BY ${source.measureSql(by)} DESC NULLS LAST, ${names.join(', ')}
    LIMIT ${params.add(n, 'UInt32')}
  ) AS is_other
FROM ${source.table}
${where}`.trimStart()
}

/** An absent value is a group too, but NULL is IN nothing. */
function keySql (field: Field): string[] {
  return field.optional ? [`isNull(${field.name})`, `ifNull(toString(${field.name}), '')`] : [field.name]
}

/** Equal buckets are counted by division; uneven ones (the clocks changed) are looked up. */
function slotSql (buckets: TimeBuckets, second: string, params: QueryParams): string {
  const step = stepOf(buckets)
  if (step !== undefined) {
    params.values['bucket_first'] = buckets.starts[0]
    params.values['bucket_step'] = step
    return `intDiv(toInt64(${second}) - {bucket_first:Int64}, {bucket_step:Int64})`
  }
  params.values['bucket_starts'] = buckets.starts
  const list = '{bucket_starts:Array(Int64)}'
  const slots = `arrayMap(i -> toInt64(i), range(length(${list})))`
  return `transform(roundDown(toInt64(${second}), ${list}), ${list}, ${slots}, toInt64(0))`
}

/** Seconds of every bucket, where they are all the same; a lone bucket holds everything. */
function stepOf ({ starts }: TimeBuckets): number | undefined {
  const [first = 0, next = first + LONE_BUCKET_SECONDS] = starts
  return starts.every((start, index) => start === first + index * (next - first)) ? next - first : undefined
}

/** Adds the buckets that have no row, for every group that has one. */
function filledSql (question: Question, grouped: string, params: QueryParams): string {
  const groups = [...question.groupBy.map((_, index) => `g${index}`), ...(question.top === undefined ? [] : ['other'])]
  const end = params.add((question.buckets as TimeBuckets).starts.length, 'Int64')
  return `SELECT *\nFROM (\n${indent(grouped)}\n)\n` +
    `ORDER BY ${[...groups, `slot WITH FILL FROM 0 TO ${end} STEP 1`].join(', ')}`
}

function outputs (question: Question): Array<{ sql: string, name: string }> {
  const { buckets, groupBy, measures, top } = question
  return [
    ...(buckets === undefined ? [] : [{ sql: bucketSql(buckets), name: 'bucket' }]),
    ...groupBy.map(({ name }, index) => ({ sql: `g${index}`, name })),
    ...(top === undefined ? [] : [{ sql: 'CAST(other, \'Bool\')', name: 'is_other' }]),
    ...measures.map(({ name }, index) => ({ sql: `m${index}`, name }))
  ]
}

function bucketSql (buckets: TimeBuckets): string {
  const second = stepOf(buckets) === undefined
    ? '{bucket_starts:Array(Int64)}[slot + 1]'
    : '({bucket_first:Int64} + slot * {bucket_step:Int64})'
  return `fromUnixTimestamp64Milli(1000 * ${second}, 'UTC')`
}

function havingSql ({ having, measures }: Question, params: QueryParams): string {
  if (having === undefined) return ''
  return `\nWHERE ${conditionSql(having, ({ subject, op, value }) => {
    const column = `m${measures.indexOf(subject)}`
    const type = Number.isSafeInteger(value) ? 'Int64' : 'Float64'
    return `ifNull(${column} ${op} ${params.add(value, type)}, ${op === '!=' ? 1 : 0})`
  })}`
}

/** As asked, then by bucket and group, so that equal rows always stand in the same order. */
function orderSql (question: Question): string {
  const { buckets, groupBy, measures, orderBy, top } = question
  const columns = new Map([
    ...(buckets === undefined ? [] : [['bucket', 'slot'] as const]),
    ...groupBy.map(({ name }, index) => [name, `g${index}`] as const),
    ...measures.map(({ name }, index) => [name, `m${index}`] as const)
  ])
  const keys: Order[] = [
    ...orderBy,
    ...(buckets === undefined ? [] : [{ by: 'bucket', direction: 'asc' as const }]),
    ...(buckets !== undefined || orderBy.length > 0
      ? []
      : [{ by: (measures[0] as Measure).name, direction: 'desc' as const }]),
    ...groupBy.map(({ name }) => ({ by: name, direction: 'asc' as const }))
  ]
  const seen = new Set<string>()
  const terms = keys.filter(({ by }) => !seen.has(by) && seen.add(by)).map(({ by, direction }) => {
    return `${columns.get(by)} ${direction === 'desc' ? 'DESC' : 'ASC'} NULLS LAST`
  })
  return [...terms, ...(top === undefined ? [] : ['other'])].join(', ')
}

function columnsOf ({ buckets, groupBy, measures, top }: Question): AnswerColumn[] {
  return [
    ...(buckets === undefined ? [] : [{ name: 'bucket', type: 'time' as const }]),
    ...groupBy.map((field) => ({ name: field.name, type: groupType(field) })),
    ...(top === undefined ? [] : [{ name: 'is_other', type: 'boolean' as const }]),
    ...measures.map((measure) => ({ name: measure.name, type: measureType(measure) }))
  ]
}

function groupType ({ kind }: Field): AnswerColumn['type'] {
  if (kind === 'integer') return 'integer'
  return kind === 'boolean' ? 'boolean' : 'text'
}

function measureType ({ fn, field }: Measure): AnswerColumn['type'] {
  if (fn === 'avg' || fn === 'quantile') return 'number'
  if (fn === 'count' || fn === 'uniq' || fn === 'uniq_approx') return 'integer'
  if (field?.kind === 'instant') return 'time'
  return field?.kind === 'integer' ? 'integer' : 'number'
}

function indent (sql: string, levels = 1): string {
  const space = '  '.repeat(levels)
  return sql.split('\n').map((line) => space + line).join('\n')
}
