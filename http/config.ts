import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'

/** Settings of every role that listens. */
export const httpSettings = {
  HTTP_HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on' }),
  HTTP_PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65535, description: 'Port to listen on; 0 takes a free one' })
}

export interface HttpConfig {
  host: string
  port: number
}

export function httpConfig (env: Static<TObject<typeof httpSettings>>): HttpConfig {
  return { host: env.HTTP_HOST, port: env.HTTP_PORT }
}
