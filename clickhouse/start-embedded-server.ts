import type { EmbeddedServer, EmbeddedServerOptions } from './embedded-server/index.ts'

/**
 * The ClickHouse HTTP interface over chDB, on loopback; see embedded-server/. The engine is loaded by this
 * call and not before: it takes a second and 200 MB that only the process which serves it should pay.
 */
export async function startEmbeddedServer (options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { startEmbeddedServer: start } = await import('./embedded-server/index.ts')
  return start(options)
}
