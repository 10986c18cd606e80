import { join } from 'node:path'
import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'

/** Where the keys are kept: all that the commands which manage them need. */
export const accessFileSettings = {
  DATA_DIR: Type.String({
    default: './data',
    minLength: 1,
    description: 'Folder of everything that the embedded parts store; the keys are in its file access.json.'
  }),
  ACCESS_FILE: Type.Optional(Type.String({
    minLength: 1,
    description: 'File of organisations and API keys, may be a mounted Secret; access.json in DATA_DIR without it.'
  }))
}

/** Settings of every role that asks for keys. */
export const accessSettings = {
  ...accessFileSettings,
  AUTH: Type.Enum(['auto', 'required'], {
    default: 'auto',
    description: 'required: every request needs a key; auto: as soon as there is one.'
  }),
  ACCESS_POLL_MS: Type.Integer({
    default: 1000,
    minimum: 10,
    maximum: 60_000,
    description: 'How often the file of keys is looked at: a revoked key works so long at most.'
  }),
  RATE_LIMIT_PER_SECOND: Type.Optional(Type.Integer({
    minimum: 1,
    description: 'Requests a second of a key that has no limit of its own; 10000 without it, none while no key is needed.'
  })),
  REDIS_URL: Type.Optional(Type.String({
    minLength: 1,
    description: 'Redis that counts requests for all replicas together; without it each replica counts its own.'
  }))
}

/** Far above what one process takes in, so that only a key that runs wild meets it. */
const RATE_LIMIT_PER_SECOND_STANDARD = 10_000

export interface AccessConfig {
  file: string
  pollMs: number
  /** Keys are needed even where none exists yet. */
  alwaysRequired: boolean
  /** Requests a second; undefined: no limit. */
  rateLimitPerSecond: { withKey: number, open: number | undefined }
  redisUrl: string | undefined
}

export function accessFileOf (env: Static<TObject<typeof accessFileSettings>>): string {
  return env.ACCESS_FILE ?? join(env.DATA_DIR, 'access.json')
}

export function accessConfig (env: Static<TObject<typeof accessSettings>>): AccessConfig {
  return {
    file: accessFileOf(env),
    pollMs: env.ACCESS_POLL_MS,
    alwaysRequired: env.AUTH === 'required',
    rateLimitPerSecond: {
      withKey: env.RATE_LIMIT_PER_SECOND ?? RATE_LIMIT_PER_SECOND_STANDARD, open: env.RATE_LIMIT_PER_SECOND
    },
    redisUrl: env.REDIS_URL
  }
}
