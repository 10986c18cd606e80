import { clickHouseConfig, clickHouseSettings, createMigrationClient, migrate } from '../../clickhouse/index.ts'
import { defineRole } from '../role.ts'
import { processSettings } from '../settings.ts'

export const migrateRole = defineRole({
  name: 'migrate',
  description: 'Bring the tables of ClickHouse to this release, then end',
  settings: { ...processSettings, ...clickHouseSettings },
  start: async (env, { log }) => {
    const config = clickHouseConfig(env)
    const client = createMigrationClient(config)
    try {
      const applied = await migrate({ client, config, log })
      log.info({ applied }, 'the tables are up to date')
    } finally {
      await client.close()
    }
    return { close: async () => {} }
  }
})
