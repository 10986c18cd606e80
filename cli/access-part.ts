import {
  AccessError, Gate, accessConfig, accessSettings, checkBinding, connectSharedCounter, registerAccess
} from '../access/index.ts'
import { SettingsError } from './settings.ts'
import type { FastifyInstance } from 'fastify'
import type { Static, TObject } from 'typebox'
import type { httpSettings } from '../http/index.ts'
import type { GateOptions } from '../access/index.ts'
import type { PartContext } from './parts.ts'

type AccessEnv = Readonly<Static<TObject<typeof accessSettings & typeof httpSettings>>>

/**
 * The keys in force, watched. Throws SettingsError where their file is broken, or where the role would listen
 * on the network without asking for a key.
 */
export async function openGate (
  env: AccessEnv, { log, closers, registry }: PartContext, { demoKey }: Pick<GateOptions, 'demoKey'> = {}
): Promise<Gate> {
  return await asSettings(async () => {
    const gate = await Gate.open({ config: accessConfig(env), log, registry, nowMs: Date.now, demoKey })
    closers.add(() => gate.close())
    checkBinding(env.HTTP_HOST, gate)
    return gate
  })
}

/** What guards a role's routes, to be called before they are registered. Throws as `openGate` does. */
export async function openAccessPart (
  env: AccessEnv, context: PartContext, demo: Pick<GateOptions, 'demoKey'> = {}
): Promise<(server: FastifyInstance) => Promise<void>> {
  const { log, closers } = context
  const gate = await openGate(env, context, demo)
  const { redisUrl, file } = accessConfig(env)
  const counter = redisUrl === undefined
    ? undefined
    : await asSettings(() => connectSharedCounter(redisUrl, log))
  if (counter !== undefined) closers.add(() => counter.close())
  if (gate.required) log.info({ file, keys: gate.directory.keys.length }, 'every request needs an API key')
  else log.info({ file }, 'runs open: whoever is on this machine may write and read; the first API key closes it')
  return (server) => registerAccess(server, { gate, counter })
}

async function asSettings<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof AccessError ? new SettingsError([error.message]) : error
  }
}
