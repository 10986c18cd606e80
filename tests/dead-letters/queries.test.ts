import { expect, test } from 'vitest'
import { firstRetriesQuery, lettersQuery, listQuery, storedEventsQuery } from '../../dead-letters/queries.ts'
import type { LetterPage } from '../../dead-letters/queries.ts'

const HOSTILE = "x' OR 1 --"
const filter = { stream: undefined, reason: undefined, states: ['open'], fromMs: 1, toMs: 2 } as const
const page: LetterPage = { filter, order: 'newest', limit: 10, after: undefined }

test.each([
  ['list', listQuery(HOSTILE, page)],
  ['list-filtered', listQuery('acme', {
    ...page,
    order: 'oldest',
    filter: { ...filter, stream: HOSTILE, reason: HOSTILE },
    after: { receivedAtMs: 1, id: HOSTILE }
  })],
  ['letters', lettersQuery('acme', [HOSTILE], filter)],
  ['first-retries', firstRetriesQuery([HOSTILE])],
  ['stored-events', storedEventsQuery({ table: 'user_tags', tenant: HOSTILE, eventIds: [HOSTILE], sinceMs: 1 })]
])('the query %s has the text that was reviewed, and its values as parameters', async (name, { sql, params }) => {
  await expect(sql).toMatchFileSnapshot(`golden/${name}.sql`)
  expect(sql).not.toContain(HOSTILE)
  const placeholders = [...sql.matchAll(/\{(\w+):/g)].map((match) => match[1])
  expect(Object.keys(params).toSorted()).toEqual([...new Set(placeholders)].toSorted())
})
