import { expect, test } from 'vitest'
import { assertReadable, parseInsert, parseQuery } from '../../clickhouse/embedded-server/statement.ts'

test('an insert with data is taken apart and nothing behind its format is read', () => {
  const sql = "insert into db.`t` (a, `b`) SETTINGS async_insert = 0, insert_deduplication_token = 'x''y' FORMAT JSONEachRow {\"a\": \"'\"}"
  const insert = parseInsert(sql)
  expect(insert).toMatchObject({
    table: 'db.t', columns: ['a', 'b'], format: 'JSONEachRow', settings: { async_insert: '0', insert_deduplication_token: "x'y" }
  })
  expect(sql.slice(insert?.dataStart)).toBe(' {"a": "\'"}')
})

test.each([
  'INSERT INTO t VALUES (1)', 'INSERT INTO t FORMAT Values (1)', 'INSERT INTO t SELECT 1', 'INSERT INTO FUNCTION null() SELECT 1', 'SELECT 1 FORMAT CSV',
  "INSERT INTO t (a, 'open", 'INSERT INTO t (a FORMAT CSV', ''
])('%j is left to the engine', (sql) => {
  expect(parseInsert(sql)).toBeUndefined()
})

test('one statement is taken, with or without its semicolon', () => {
  expect(parseQuery('SELECT 1;')).toMatchObject({ reads: true })
  expect(() => parseQuery('SELECT 1; SELECT 2')).toThrow(expect.objectContaining({ code: 62 }))
  expect(() => parseQuery(' -- nothing')).toThrow(expect.objectContaining({ code: 62 }))
})

test('the format is found at the end, not in a string or a name', () => {
  expect(parseQuery("SELECT 'FORMAT CSV' FORMAT JSONEachRow SETTINGS max_threads = 1").format).toBe('JSONEachRow')
  expect(parseQuery("SELECT 'FORMAT CSV'").format).toBeUndefined()
  expect(parseQuery('SELECT `FORMAT` FROM t').format).toBeUndefined()
})

test.each([
  'INSERT INTO t VALUES (1)', 'KILL QUERY WHERE 1', 'SYSTEM FLUSH LOGS', 'USE system', 'SET readonly = 0', 'DROP TABLE t', '/* SELECT */ ALTER TABLE t DELETE WHERE 1'
])('the reader may not %s', (sql) => {
  expect(() => assertReadable(parseQuery(sql))).toThrow(expect.objectContaining({ code: 164 }))
})

test.each([
  "SELECT file('/etc/passwd')", "SELECT File ('/etc/passwd')", "SELECT `file`('/etc/passwd')", "SELECT \"file\"/**/('/etc/passwd')", "SELECT 1.file('/etc/passwd')"
])('the reader may not call file by %s', (sql) => {
  expect(() => assertReadable(parseQuery(sql))).toThrow(expect.objectContaining({ code: 497 }))
})

test.each([
  'SELECT 1', 'WITH 1 AS x SELECT x', '(SELECT 1)', 'SHOW TABLES', 'DESCRIBE t', 'EXPLAIN ESTIMATE SELECT 1', 'EXISTS TABLE t', "SELECT 'file(' AS file"
])('the reader may %s', (sql) => {
  expect(() => assertReadable(parseQuery(sql))).not.toThrow()
})
