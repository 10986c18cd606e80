import { expect, test } from 'vitest'
import { validate, version } from 'uuid'
import { createUuidSource } from '../../http/index.ts'

test('ids are UUIDv7 of now, and differ, also beyond one draw of randomness', () => {
  const next = createUuidSource()
  const before = Date.now()
  const ids = Array.from({ length: 5_000 }, next)
  const after = Date.now()
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) {
    expect(validate(id) && version(id) === 7).toBe(true)
    const ms = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    expect(ms).toBeGreaterThanOrEqual(before)
    expect(ms).toBeLessThanOrEqual(after)
  }
})
