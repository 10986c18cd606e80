/**
 * The embedded ClickHouse server as a child process of a test: configured by its first argument, it reports
 * its URL over IPC and ends with its parent.
 */
import { startEmbeddedServer } from '../../clickhouse/index.ts'
import type { EmbeddedServerOptions } from '../../clickhouse/index.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as Omit<EmbeddedServerOptions, 'log'>
const log = { warn: (fields: object, message: string) => console.warn(message, fields) }
const server = await startEmbeddedServer({ ...options, log })
process.on('message', () => server.close().then(() => process.exit(0)))
process.on('disconnect', () => process.exit(0))
process.send?.({ url: server.url })
