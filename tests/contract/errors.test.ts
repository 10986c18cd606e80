import { expect, test } from 'vitest'
import { ERROR_CODES, MillraceError } from '../../contract/index.ts'

const table: Record<string, { status: number, retryable: boolean, title: string }> = ERROR_CODES

test.each(Object.entries(table))('%s: what may be sent again says so by its status, and nothing else does', (code, entry) => {
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
  expect(entry.status).toBeGreaterThanOrEqual(400)
  expect(entry.status).toBeLessThanOrEqual(503)
  expect(entry.retryable).toBe(entry.status === 503 || entry.status === 429)
  expect(entry.title).not.toBe('')
})

test('an error knows its status, its cause and its faults', () => {
  const cause = new Error('cause')
  const error = new MillraceError('log_unavailable', 'detail', { cause })
  expect(error).toMatchObject({ status: 503, retryable: true, message: 'detail', cause, faults: [] })
  expect(new MillraceError('wrong_type', 'detail')).not.toHaveProperty('cause')
})
