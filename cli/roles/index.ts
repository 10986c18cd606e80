import { clickHouseRole } from './clickhouse.ts'
import { ingestRole } from './ingest.ts'
import { migrateRole } from './migrate.ts'
import { processorsRole } from './processors.ts'
import { queryApiRole } from './query-api.ts'
import { serveRole } from './serve.ts'
import { startRole } from './start.ts'
import type { Role } from '../role.ts'

/** Every role that a process can run; `start` supervises some of the others. */
export const roles: readonly Role[] = [
  startRole, ingestRole, processorsRole, queryApiRole, clickHouseRole, migrateRole, serveRole
] as unknown as Role[]
