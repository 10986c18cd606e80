import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../contract/index.ts'
import { refusalsOf } from '../../http/index.ts'
import type { Operation } from '../../http/index.ts'

const operation: Operation = { id: 'x', tag: 'Operations', summary: 'X', answers: {} }

function statusesOf (kind: Parameters<typeof refusalsOf>[0]): number[] {
  return [...new Set(refusalsOf(kind).map((code) => ERROR_CODES[code].status))].sort()
}

test('an open route without input can only fail inside', () => {
  expect(refusalsOf({ operation, hasBody: false })).toEqual(['internal'])
})

test('what a scope asks of a caller, and what stands behind it, can refuse', () => {
  expect(statusesOf({ operation, access: { scope: 'admin' }, hasBody: false })).toEqual([401, 403, 429, 500])
  expect(refusalsOf({ operation, access: { scope: 'ingest' }, hasBody: false })).toContain('log_unavailable')
  expect(refusalsOf({ operation, access: { scope: 'query' }, hasBody: false })).toContain('storage_unavailable')
})

test('bodies and path parameters can be wrong', () => {
  expect(statusesOf({ operation, hasBody: true })).toEqual([400, 413, 415, 500])
  const path = Type.Object({ id: Type.String() })
  expect(statusesOf({ operation: { ...operation, path }, hasBody: false })).toEqual([400, 414, 500])
})

test('the codes that a handler throws come beside those of its kind, each once', () => {
  const refusals = ['query_timeout', 'internal'] as const
  expect(refusalsOf({ operation: { ...operation, refusals }, hasBody: false })).toEqual(['query_timeout', 'internal'])
})
