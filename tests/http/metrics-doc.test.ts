import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const SOURCES = '{access,clickhouse,dead-letters,erasure,eventlog,http,ingest,processors,query-api,replay}/**/metrics.ts'
const sources = [...globSync(SOURCES), 'query-api/ledger/imbalance-gauge.ts'].map((path) => readFileSync(path, 'utf8'))
const named = sources.flatMap((text) => [...text.matchAll(/'(millrace_\w+)'/g)].map(([, name]) => name))
const documented = readFileSync('docs/operations.md', 'utf8').matchAll(/^\| `(millrace_\w+)` \|/gm)

test('docs/operations.md has every metric, and no other', () => {
  expect([...documented].map(([, name]) => name)).toEqual([...new Set(named)].sort())
})
