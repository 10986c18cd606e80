import type { Field } from '../../contract/index.ts'
import type { Condition, ConditionValue, Operator } from './question.ts'

/** Collects values under fresh names, so that no value is ever part of a text. */
export class QueryParams {
  readonly values: Record<string, unknown> = {}
  private count = 0

  /** The placeholder of a value. */
  add (value: unknown, type: string): string {
    const name = `p${this.count++}`
    this.values[name] = value
    return `{${name}:${type}}`
  }
}

const COMPARISONS: Partial<Record<Operator, string>> = {
  '=': '=', '!=': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>='
}

/** SQL of a tree; `leafSql` writes its leaves. An empty `and` holds, an empty `or` does not. */
export function conditionSql<Subject> (
  condition: Condition<Subject>,
  leafSql: (leaf: { subject: Subject, op: Operator, value: ConditionValue }) => string
): string {
  if ('subject' in condition) return leafSql(condition)
  if ('not' in condition) return `NOT (${conditionSql(condition.not, leafSql)})`
  const isAnd = 'and' in condition
  const parts = (isAnd ? condition.and : condition.or).map((part) => `(${conditionSql(part, leafSql)})`)
  if (parts.length === 0) return isAnd ? '1' : '0'
  return parts.join(isAnd ? ' AND ' : ' OR ')
}

/**
 * SQL of one comparison of a column that holds `field`. A value that is absent equals nothing: `=` and the
 * like do not hold for it, `!=` and `not_in` do, so that `not` and `!=` always say the same.
 */
export function fieldConditionSql (
  field: Field, op: Operator, value: ConditionValue, params: QueryParams
): string {
  if (value === null) return op === '=' ? `isNull(${field.name})` : `isNotNull(${field.name})`
  const sql = comparisonSql(field, op, value, params)
  if (!field.optional) return sql
  return `ifNull(${sql}, ${op === '!=' || op === 'not_in' ? 1 : 0})`
}

function comparisonSql (
  field: Field, op: Operator, value: Exclude<ConditionValue, null>, params: QueryParams
): string {
  const column = comparableSql(field)
  const type = parameterType(field)
  if (op === 'in' || op === 'not_in') {
    return `${column} ${op === 'in' ? 'IN' : 'NOT IN'} ${params.add(value, `Array(${type})`)}`
  }
  const placeholder = params.add(value, type)
  if (op === 'contains') return `position(${column}, ${placeholder}) > 0`
  if (op === 'starts_with') return `startsWith(${column}, ${placeholder})`
  return `${column} ${COMPARISONS[op]} ${placeholder}`
}

/** Numbers and times are compared as 64 bits: a bound outside the column's own range stays what it is. */
function comparableSql (field: Field): string {
  if (field.kind === 'instant') return `toUnixTimestamp64Milli(${field.name})`
  if (field.kind === 'integer') return `toInt64(${field.name})`
  return field.name
}

function parameterType ({ kind }: Field): string {
  if (kind === 'instant' || kind === 'integer') return 'Int64'
  if (kind === 'number') return 'Float64'
  return kind === 'boolean' ? 'Bool' : 'String'
}
