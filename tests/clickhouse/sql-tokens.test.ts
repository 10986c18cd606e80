import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SqlTokenError, quoteIdentifier, quoteString, splitStatements, sqlTokens } from '../../clickhouse/sql-tokens.ts'

const values = (sql: string): string[] => [...sqlTokens(sql)].map((token) => token.value)

test('quotes and comments hide words and semicolons', () => {
  expect(values("SELECT 'a;b' /* x; */ -- y;\n, `c;d` # z;\n, \"e;f\", $t$ g;h $t$")).toEqual(
    ['SELECT', 'a;b', ',', 'c;d', ',', 'e;f', ',', ' g;h '])
})

test('escapes and doubled quotes do not end a string', () => {
  expect(values("'it\\'s' 'it''s' '\\\\' 'x'")).toEqual(["it's", "it's", '\\', 'x'])
})

test('what ClickHouse might read in another way is refused', () => {
  for (const sql of ["'open", '/* open', '`open', '$a$ open', 'SELECT \u2018a\u2019', 'SELECT \u201Ca\u201D', 'SELECT \0']) {
    expect(() => values(sql)).toThrow(SqlTokenError)
  }
})

test('a script is cut at its semicolons alone', () => {
  expect(splitStatements("-- first; \nSELECT ';' ;\n\n;SELECT 2\n-- end;")).toEqual(["SELECT ';'", 'SELECT 2'])
})

test('a quoted text is one token that gives the text back, whatever it holds', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
    expect(values(quoteString(text))).toEqual([text])
    expect(values(quoteIdentifier(text))).toEqual([text])
  }))
})
