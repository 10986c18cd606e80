import createCompilerFactory from '@fastify/ajv-compiler'
import { expect, test } from 'vitest'
import { toFaults } from '../../http/schema-faults.ts'
import { VALIDATION_OPTIONS } from '../../http/validation.ts'
import { questionSchema } from '../../query-api/questions/question-schema.ts'
import type { SchemaFault } from '../../http/schema-faults.ts'

const compile = createCompilerFactory()({}, { customOptions: { ...VALIDATION_OPTIONS, allErrors: true } })
const question = {
  stream: 'user_tags',
  measures: [{ fn: 'count' }],
  time: { from: '2022-03-22T00:00:00Z', to: '2022-03-23T00:00:00Z' }
}

function faultsOf (schema: object, value: unknown): string[] {
  const validate = compile({ schema })
  validate(value)
  return toFaults(validate.errors as SchemaFault[]).map(({ path, code, message }) => `${path} ${code} ${message}`)
}

test.each([
  [[{ field: 'action', op: '==', value: 'BUY' }], ['/filters/0/op unknown_value must be one of =, !=, ']],
  [{ field: 'action', op: '==', value: 'BUY' }, ['/filters/op unknown_value must be one of =, !=, ']],
  [{ and: [{ nor: [] }] }, ['/filters/and/0/nor unknown_field']],
  [{ nor: [] }, ['/filters/nor unknown_field']],
  [5, ['/filters wrong_type must be object or array']]
])('of a choice of shapes only the true fault is told: %j', (filters, expected) => {
  const found = faultsOf(questionSchema, { ...question, filters })
  expect(found.map((fault, at) => fault.slice(0, expected[at]?.length))).toEqual(expected)
})

test.each([
  [{ type: 'string', format: 'event-time' }, 'yesterday', '/ invalid_time must be an RFC 3339 time with its offset, from 1970'],
  [{ type: 'string', format: 'storable-text' }, '\0', '/ invalid_text must be Unicode without NUL'],
  [{ type: ['integer', 'string'] }, true, '/ wrong_type must be integer or string'],
  [{ enum: ['VIEW', 'BUY'] }, 'SELL', '/ unknown_value must be one of VIEW, BUY']
])('%j is explained in words', (schema, value, expected) => {
  expect(faultsOf(schema, value)).toEqual([expect.stringContaining(expected)])
})
