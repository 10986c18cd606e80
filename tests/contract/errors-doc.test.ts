import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../contract/index.ts'

const rows = readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)
const documented = new Map([...rows].map((row) => [row[1], Number(row[2])]))

test('docs/errors.md has every code with its status, and no other', () => {
  const codes = Object.entries(ERROR_CODES).map(([code, { status }]) => [code, status])
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(codes))
})
