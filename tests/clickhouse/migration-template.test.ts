import { expect, test } from 'vitest'
import { loadMigrations, renderMigration } from '../../clickhouse/index.ts'
import { splitStatements } from '../../clickhouse/sql-tokens.ts'
import type { TemplateConfig } from '../../clickhouse/index.ts'

const retentionDays = { raw: 30, bySubject: 90, rollup: 400 }
const plain: TemplateConfig = { database: 'millrace', cluster: undefined, retentionDays }
const replicated: TemplateConfig = { ...plain, cluster: 'main' }
const migrations = loadMigrations()

const REPEATABLE = /^(CREATE .*IF NOT EXISTS|DROP .*IF EXISTS|ALTER .*IF (NOT )?EXISTS|ALTER .*MODIFY) /

test.each(migrations.map((migration) => [migration.name, migration] as const))(
  '%s renders as reviewed, for one server and for a cluster', async (name, { version, source }) => {
    const file = `${String(version).padStart(4, '0')}_${name}`
    await expect(renderMigration(source, plain)).toMatchFileSnapshot(`golden/${file}.plain.sql`)
    await expect(renderMigration(source, replicated)).toMatchFileSnapshot(`golden/${file}.replicated.sql`)
  })

test('every statement can be repeated', () => {
  for (const { name, source } of migrations) {
    for (const statement of splitStatements(renderMigration(source, plain))) {
      expect([name, statement]).toEqual([name, expect.stringMatching(REPEATABLE)])
    }
  }
})

test('on a cluster no statement stays on one server, and no table is unreplicated', () => {
  for (const { name, source } of migrations) {
    const sql = renderMigration(source, replicated)
    for (const statement of splitStatements(sql)) expect([name, statement]).toEqual([name, expect.stringContaining('ON CLUSTER `main`')])
    expect([name, sql]).not.toEqual([name, expect.stringMatching(/ENGINE = (?!Replicated)\w*MergeTree/)])
    expect([name, sql]).not.toEqual([name, expect.stringContaining('non_replicated')])
  }
})

test('each ORDER BY and PARTITION BY has a comment that says why', () => {
  for (const { name, source } of migrations) {
    for (const clause of ['ORDER BY', 'PARTITION BY']) {
      if (!source.split('\n').some((line) => line.startsWith(clause))) continue
      expect([name, source]).toEqual([name, expect.stringMatching(new RegExp(`^-- ${clause} `, 'm'))])
    }
  }
})

test('a placeholder that does not exist is an error', () => {
  for (const text of ['{{datbase}}', '{{engine}}', '{{retention_days forever}}']) {
    expect(() => renderMigration(text, plain)).toThrow('Unknown placeholder')
  }
})
