import closeWithGrace from 'close-with-grace'
import { createLog } from './log.ts'
import { loadCheckedSettings } from './settings.ts'
import type { ProcessEnv } from './settings.ts'
import type { Role } from './role.ts'

/** What a role's process says to a parent that gave it an IPC channel. */
export type RoleMessage = { ready: { url?: string } }

/**
 * Runs a role as this process until a signal, a fault, or the end of the parent that started it. Rejects
 * where the settings are wrong or the role cannot start.
 */
export async function runRole (role: Role, env: NodeJS.ProcessEnv): Promise<void> {
  const settings = await loadCheckedSettings(role, env) as ProcessEnv & Record<string, unknown>
  const log = createLog(role.name, settings)
  const running = await role.start(settings, { log, processEnv: env })
  const message: RoleMessage = { ready: running.url === undefined ? {} : { url: running.url } }
  // Before the parent is told, so that its own line comes last.
  if (running.url !== undefined) log.info({ url: running.url }, `ready at ${running.url}`)
  process.send?.(message)
  if (running.url === undefined) {
    await running.close()
    process.disconnect?.()
    return
  }
  const options = { delay: settings.SHUTDOWN_MS_MAX, logger: false } as const
  const grace = closeWithGrace(options, async ({ err, signal }) => {
    if (err !== undefined) log.fatal({ err }, 'fault')
    log.info({ signal }, 'closing')
    await running.close()
  })
  // A parent that was killed leaves no role behind.
  process.once('disconnect', () => { grace.close() })
}
