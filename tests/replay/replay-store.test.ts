import { expect, test } from 'vitest'
import { ReplayStore } from '../../replay/index.ts'
import type { ClickHouseClient } from '../../clickhouse/index.ts'

type Command = Parameters<ClickHouseClient['command']>[0]

test('on a cluster a table of one replica is rid of what is erased by statements that it takes there', async () => {
  const commands: Command[] = []
  const client = {
    command: async (command: Command) => { commands.push(command) },
    query: async ({ query }: { query: string }) => ({
      json: async () => query.includes('partition_id') ? [{ id: '202601' }] : [{ n: 0 }]
    })
  } as unknown as ClickHouseClient
  const store = new ReplayStore({ client, database: 'd', cluster: 'three' })
  await store.removeErased('again', ['user_tags'], AbortSignal.timeout(1_000))
  const [remove, apply] = commands
  expect(remove?.query).toContain('DELETE FROM d.again WHERE')
  // Without it a replicated table refuses a condition with a subquery.
  expect(remove?.clickhouse_settings).toMatchObject({ allow_nondeterministic_mutations: '1' })
  expect(apply?.query).toContain("APPLY DELETED MASK IN PARTITION ID '202601'")
  for (const { query } of commands) expect(query).not.toContain('ON CLUSTER')
})
