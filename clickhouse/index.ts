export {
  clickHouseConfig, clickHouseUrl, clickHouseSettings, embeddedServerConfig, embeddedServerSettings
} from './config.ts'
export type { ClickHouseConfig, EmbeddedServerConfig, EngineLimits, ReadLimits } from './config.ts'
export {
  BATCH_ROWS_MAX, createMigrationClient, createReadClient, createWriteClient, insertBatch
} from './client.ts'
export type { ClickHouseClient, InsertBatch } from './client.ts'
export { classifyFault, clickHouseCode } from './faults.ts'
export type { FaultClass } from './faults.ts'
export { MigrationError, loadMigrations } from './migration-files.ts'
export type { Migration } from './migration-files.ts'
export { withTableLock } from './migration-lock.ts'
export type { LockTiming } from './migration-lock.ts'
export { DEDUPLICATION_WINDOW, onCluster, renderMigration } from './migration-template.ts'
export type { TemplateConfig } from './migration-template.ts'
export { readerStatements } from './reader-user.ts'
export { migrate } from './migrate.ts'
export type { MigrateOptions } from './migrate.ts'
export { BoundedQueue } from './embedded-server/queue.ts'
export { startEmbeddedServer } from './start-embedded-server.ts'
export type { EmbeddedServer, EmbeddedServerOptions, EmbeddedUser } from './embedded-server/index.ts'
