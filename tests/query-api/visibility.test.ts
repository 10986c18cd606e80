import { expect, test } from 'vitest'
import { NOTHING_HIDDEN } from '../../query-api/index.ts'
import { visibleQuery } from '../../query-api/visibility.ts'
import type { Visibility } from '../../query-api/index.ts'

const hiding: Visibility = {
  of: async (tenant) => ({
    version: '1', hidden: new Map([['visits', { sql: 'hash = {h:String}', params: { h: `${tenant}'s` } }]])
  })
}
const SQL = 'SELECT (SELECT count() FROM visits WHERE a) AS n\nFROM visits\nWHERE tenant = {tenant:String}'

test('a query is not changed while nothing is hidden, nor is its setting', async () => {
  const query = { sql: SQL, params: { tenant: 'acme' } }
  expect(await visibleQuery(query, NOTHING_HIDDEN)).toEqual({ ...query, settings: {} })
})

test('every mention of a table in a query is without the hidden rows, and its values are not logged', async () => {
  const hidden = '(SELECT * FROM visits WHERE NOT (hash = {h:String}))'
  expect(await visibleQuery({ sql: SQL, params: { tenant: 'acme' } }, hiding)).toEqual({
    sql: `SELECT (SELECT count() FROM ${hidden} WHERE a) AS n\nFROM ${hidden}\nWHERE tenant = {tenant:String}`,
    params: { tenant: 'acme', h: "acme's" },
    settings: { log_queries: 0 }
  })
})

test('a rollup holds no subject, and is read as it is', async () => {
  const query = { sql: 'SELECT sum(count) FROM visits_by_minute', params: {} }
  expect(await visibleQuery(query, hiding)).toEqual({ ...query, settings: {} })
})

test.each([
  'SELECT 1 FROM visits_by_minute JOIN visits ON 1', 'SELECT 1 WHERE 1 IN visits', 'SELECT 1 FROM numbers(1), visits',
  'SELECT * FROM merge(currentDatabase(), \'visits\')', 'SELECT * FROM db.visits', 'SELECT * FROM `dead_letters`'
])('what could pass by the hiding is not run: %s', async (sql) => {
  await expect(visibleQuery({ sql, params: { tenant: 'acme' } }, NOTHING_HIDDEN)).rejects.toThrow(TypeError)
})

test('personal rows are not read without saying whose', async () => {
  await expect(visibleQuery({ sql: SQL, params: {} }, NOTHING_HIDDEN)).rejects.toThrow(TypeError)
})
