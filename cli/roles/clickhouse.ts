import {
  clickHouseConfig, clickHouseSettings, embeddedServerConfig, embeddedServerSettings, startEmbeddedServer
} from '../../clickhouse/index.ts'
import { defineRole } from '../role.ts'
import { makeDataFolder } from '../data-folder.ts'
import { processSettings } from '../settings.ts'

export const clickHouseRole = defineRole({
  name: 'clickhouse',
  description: 'Serve an embedded ClickHouse on loopback, for one machine',
  settings: { ...processSettings, ...clickHouseSettings, ...embeddedServerSettings },
  start: async (env, { log }) => {
    makeDataFolder(env.DATA_DIR)
    const { user, password, readUser, readPassword, readLimits } = clickHouseConfig(env)
    return startEmbeddedServer({
      ...embeddedServerConfig(env),
      users: [{ name: user, password }, { name: readUser, password: readPassword, readLimits }],
      log
    })
  }
})
