import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { clickHouseConfig, clickHouseSettings, embeddedServerConfig, embeddedServerSettings } from '../../clickhouse/index.ts'

const schema = Type.Object({ ...clickHouseSettings, ...embeddedServerSettings })
const defaults = (): Static<typeof schema> => Value.Default(schema, {}) as Static<typeof schema>

test('an empty environment is a working configuration for one machine', () => {
  const env = defaults()
  expect(Value.Check(schema, env)).toBe(true)
  expect(clickHouseConfig(env)).toMatchObject({
    url: 'http://127.0.0.1:8123', database: 'millrace', cluster: undefined, retentionDays: { raw: 30, bySubject: 90, rollup: 400 }
  })
  expect(embeddedServerConfig(env)).toMatchObject({ directory: 'data/clickhouse', host: '127.0.0.1', port: 8123 })
})

test.each([
  ['CLICKHOUSE_DATABASE', 'a; DROP DATABASE b'], ['CLICKHOUSE_CLUSTER', 'a`b'], ['CLICKHOUSE_HOST', '0.0.0.0'], ['CLICKHOUSE_RETENTION_DAYS_RAW', 0]
])('%s cannot be %j', (name, value) => {
  expect(Value.Check(schema, { ...defaults(), [name]: value })).toBe(false)
})

test('every setting says what it is for and has a default, or is optional', () => {
  for (const [name, setting] of Object.entries({ ...clickHouseSettings, ...embeddedServerSettings })) {
    expect([name, 'description' in setting]).toEqual([name, true])
    expect([name, 'default' in setting || ['CLICKHOUSE_CLUSTER', 'CLICKHOUSE_URL'].includes(name)]).toEqual([name, true])
  }
})

test.each([
  [{ CLICKHOUSE_PORT: '18123' }, 'http://127.0.0.1:18123'],
  [{ CLICKHOUSE_PORT: '18123', CLICKHOUSE_URL: 'http://c:8123' }, 'http://c:8123'],
  // Of a service named clickhouse, as Kubernetes announces it.
  [{ CLICKHOUSE_PORT: 'tcp://10.0.0.1:8123' }, 'http://127.0.0.1:8123']
])('with %j whoever speaks to ClickHouse looks for it at %s', (given, url) => {
  const settings = Type.Object(clickHouseSettings)
  const env = Value.Default(settings, { ...given }) as Static<typeof settings>
  expect(Value.Check(settings, env)).toBe(true)
  expect(clickHouseConfig(env).url).toBe(url)
})
