import { Registry } from 'prom-client'
import { httpConfig } from '../http/index.ts'
import { listen } from './listen.ts'
import { opening } from './role.ts'
import type { Static, TObject } from 'typebox'
import type { httpSettings } from '../http/index.ts'
import type { HttpPart, PartContext } from './parts.ts'
import type { RoleContext, RunningRole } from './role.ts'

/** Starts a role that is one HTTP part: opens the part, then its listener. */
export function startHttpRole (
  env: Readonly<Static<TObject<typeof httpSettings>>>,
  { log }: RoleContext,
  open: (context: PartContext) => Promise<HttpPart>
): Promise<RunningRole> {
  return opening(async (closers) => {
    const context = { log, closers, registry: new Registry() }
    const { ready, dependencies, routes } = await open(context)
    const url = await listen({ ...context, http: httpConfig(env), health: { ready, dependencies }, routes })
    return { url, close: () => closers.closeAll() }
  })
}
