import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { REASONS } from '../../dead-letters/dead-letter.ts'
import { parseBulkRequest, parseListRequest } from '../../dead-letters/index.ts'
import type { DeadLetterReason } from '../../processors/batch.ts'

/** Does not compile where one is missing. */
const WRITTEN: Record<DeadLetterReason, true> = {
  rejected_at_ingest: true,
  bad_framing: true,
  bad_bytes: true,
  unknown_schema: true,
  incompatible_schema: true,
  invalid_record: true,
  refused_by_storage: true
}

test('every reason that processors write can be asked for, and is explained', () => {
  expect(REASONS.toSorted()).toEqual(Object.keys(WRITTEN).sort())
  const [, explained = ''] = readFileSync('docs/operations.md', 'utf8').split('## Dead letters')
  const rows = explained.match(/^\| `.*` \|/gm)?.join('') ?? ''
  expect([...rows.matchAll(/`(\w+)`/g)].map(([, reason]) => reason).sort()).toEqual(REASONS.toSorted())
  for (const reason of REASONS) expect(parseListRequest({ reason }).filter.reason).toBe(reason)
})

test('what is no reason, stream or state is refused with those that there are', () => {
  expect(() => parseBulkRequest({ reason: 'foo' })).toThrow('reason: must be one of rejected_at_ingest, bad_framing')
  expect(() => parseListRequest({ stream: 'foo' })).toThrow('stream: must be one of user_tags, ')
  expect(() => parseListRequest({ state: 'foo' })).toThrow('state: must be one of open, retrying, retried')
})
