import type { Logger } from 'pino'
import type { Static, TObject, TProperties } from 'typebox'
import type { CheckedSettings } from './settings.ts'

/** One thing that a process can be: `millrace <name>`. */
export interface Role<P extends TProperties = TProperties> extends CheckedSettings<P> {
  name: string
  description: string
  /** Connects, builds, listens. Rejects where it cannot; what was opened until then is closed. */
  start: (env: Readonly<Static<TObject<P>>>, context: RoleContext) => Promise<RunningRole>
}

export interface RoleContext {
  log: Logger
  /** For the processes that a role starts; a role's own settings are validated already. */
  processEnv: NodeJS.ProcessEnv
}

export interface RunningRole {
  /** Where it listens; a role without it has done its work when it has started. */
  url?: string
  /** Drains and closes, in reverse order of opening. */
  close: () => Promise<void>
}

/** Keeps the type of a role's settings. */
export function defineRole<P extends TProperties> (role: Role<P>): Role<P> {
  return role
}

/** What is open, to be closed in reverse order, each part even where another one fails. */
export class Closers {
  readonly #closers: Array<() => Promise<void>> = []

  add (close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  async closeAll (): Promise<void> {
    const errors: unknown[] = []
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      await close().catch((error: unknown) => errors.push(error))
    }
    if (errors.length > 0) throw new AggregateError(errors, 'Not everything could be closed')
  }
}

/** Runs `start`; where it rejects, what it had opened is closed first. */
export async function opening<T> (start: (closers: Closers) => Promise<T>): Promise<T> {
  const closers = new Closers()
  try {
    return await start(closers)
  } catch (error) {
    await closers.closeAll()
    throw error
  }
}
