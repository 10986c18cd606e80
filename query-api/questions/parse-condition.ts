import { parseTime } from '../../contract/index.ts'
import { operatorsOf } from './catalogue.ts'
import { QUESTION_LIMITS } from './question.ts'
import type { Field } from '../../contract/index.ts'
import type { ParameterFaults } from '../../http/index.ts'
import type { Condition, ConditionValue, Measure, Operator } from './question.ts'

/** A condition as the schema lets it through. */
export interface ConditionInput {
  and?: ConditionInput[]
  or?: ConditionInput[]
  not?: ConditionInput
  field?: string
  op?: Operator
  value?: unknown
}

/** How the leaves of one tree are read; undefined after a fault was added. */
type ReadLeaf<Subject> = (input: ConditionInput, path: string) => {
  subject: Subject, op: Operator, value: ConditionValue
} | undefined

const NUMBER_OPERATORS: readonly Operator[] = ['=', '!=', '<', '<=', '>', '>=']

/** `filters`: a tree over fields, or a list of trees that must all hold. */
export function parseFilters (
  input: ConditionInput | ConditionInput[],
  fieldNamed: (name: string) => Field | undefined,
  faults: ParameterFaults
): Condition<Field> | undefined {
  return parseTree(input, '/filters', faults, (leaf, path) => {
    const field = fieldNamed(leaf.field as string)
    if (field === undefined) return faults.add(`${path}/field`, 'unknown_field', 'the stream has no such field')
    const op = leaf.op as Operator
    if (!operatorsOf(field).includes(op)) {
      return faults.add(`${path}/op`, 'invalid_query', `a field of type ${field.kind} has no ${op}`)
    }
    const value = fieldValue(field, op, leaf.value)
    if (typeof value === 'object' && value !== null && 'fault' in value) {
      return faults.add(`${path}/value`, value.fault.code, value.fault.message)
    }
    return { subject: field, op, value }
  })
}

/** `having`: a tree over the measures' columns, compared with numbers. */
export function parseHaving (
  input: ConditionInput | ConditionInput[], measures: readonly Measure[], faults: ParameterFaults
): Condition<Measure> | undefined {
  return parseTree(input, '/having', faults, (leaf, path) => {
    const measure = measures.find(({ name }) => name === leaf.field)
    if (measure === undefined) return faults.add(`${path}/field`, 'unknown_field', 'no measure has this name')
    const op = leaf.op as Operator
    if (measure.field?.kind === 'instant' && (measure.fn === 'min' || measure.fn === 'max')) {
      return faults.add(`${path}/field`, 'invalid_query', 'a time cannot be compared in having')
    }
    if (!NUMBER_OPERATORS.includes(op)) return faults.add(`${path}/op`, 'invalid_query', `having has no ${op}`)
    if (typeof leaf.value !== 'number') return faults.add(`${path}/value`, 'wrong_type', 'must be a number')
    return { subject: measure, op, value: leaf.value }
  })
}

function parseTree<Subject> (
  input: ConditionInput | ConditionInput[], root: string, faults: ParameterFaults, readLeaf: ReadLeaf<Subject>
): Condition<Subject> | undefined {
  let count = 0
  const parse = (node: ConditionInput, path: string, depth: number): Condition<Subject> | undefined => {
    count += 1
    if (count === QUESTION_LIMITS.conditions + 1) {
      return faults.add(root, 'invalid_query', `must not have more than ${QUESTION_LIMITS.conditions} conditions`)
    }
    if (count > QUESTION_LIMITS.conditions) return undefined
    if (depth > QUESTION_LIMITS.conditionDepth) {
      return faults.add(path, 'invalid_query', `must not nest deeper than ${QUESTION_LIMITS.conditionDepth}`)
    }
    const all = (nodes: ConditionInput[], name: string) => nodes
      .map((child, index) => parse(child, `${path}/${name}/${index}`, depth + 1))
      .filter((child) => child !== undefined)
    switch (Object.keys(node).sort().join(',')) {
      case 'and': return { and: all(node.and as ConditionInput[], 'and') }
      case 'or': return { or: all(node.or as ConditionInput[], 'or') }
      case 'not': {
        const child = parse(node.not as ConditionInput, `${path}/not`, depth + 1)
        return child === undefined ? undefined : { not: child }
      }
      case 'field,op,value': return readLeaf(node, path)
      default: return faults.add(path, 'invalid_query', 'must be {and}, {or}, {not}, or {field, op, value}')
    }
  }
  if (!Array.isArray(input)) return parse(input, root, 1)
  return { and: input.map((node, index) => parse(node, `${root}/${index}`, 1)).filter((node) => node !== undefined) }
}

interface ValueFault {
  fault: { code: 'wrong_type' | 'unknown_value' | 'invalid_time' | 'invalid_query', message: string }
}

/** The value as queries compare it: times as epoch milliseconds, the rest as it came. */
function fieldValue (field: Field, op: Operator, value: unknown): ConditionValue | ValueFault {
  if (value === null) {
    if (field.optional && (op === '=' || op === '!=')) return null
    return fault('invalid_query', 'null is compared with = or !=, where the field is optional')
  }
  const isList = op === 'in' || op === 'not_in'
  if (isList !== Array.isArray(value)) {
    return fault('wrong_type', isList ? 'must be a list' : 'must not be a list')
  }
  if (!Array.isArray(value)) return scalarValue(field, value)
  const values = value.map((item) => scalarValue(field, item))
  const wrong = values.find((item): item is ValueFault => typeof item === 'object' && item !== null)
  return wrong ?? values as string[] | number[]
}

function scalarValue (field: Field, value: unknown): string | number | boolean | ValueFault {
  switch (field.kind) {
    case 'enum':
      if (typeof value === 'string' && field.symbols.includes(value)) return value
      return fault('unknown_value', `must be one of ${field.symbols.join(', ')}`)
    case 'text': case 'integer_or_text':
      return typeof value === 'string' ? value : fault('wrong_type', 'must be a string')
    case 'boolean':
      return typeof value === 'boolean' ? value : fault('wrong_type', 'must be true or false')
    case 'integer':
      return Number.isSafeInteger(value) ? value as number : fault('wrong_type', 'must be a whole number')
    case 'number':
      return typeof value === 'number' ? value : fault('wrong_type', 'must be a number')
    case 'instant':
      return (typeof value === 'string' ? parseTime(value) : undefined) ?? fault('invalid_time', 'must be RFC 3339')
  }
}

function fault (code: ValueFault['fault']['code'], message: string): ValueFault {
  return { fault: { code, message } }
}
