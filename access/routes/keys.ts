import { Type } from 'typebox'
import { jsonAnswer, tenantOf } from '../../http/index.ts'
import type { FastifyInstance } from 'fastify'
import type { Operation } from '../../http/index.ts'
import type { Gate } from '../gate.ts'

const KeysAnswer = Type.Object({
  keys: Type.Array(Type.Object({
    id: Type.String(),
    name: Type.String(),
    scopes: Type.Array(Type.String()),
    created_at: Type.String(),
    expires_at: Type.Optional(Type.String()),
    revoked_at: Type.Optional(Type.String()),
    rate_limit_per_second: Type.Optional(Type.Integer()),
    last_used_at: Type.Optional(Type.String({ description: 'When this process last accepted the key.' }))
  }))
})

const KEYS_OPERATION: Operation = {
  id: 'listKeys',
  tag: 'Administration',
  summary: 'List the organisation\'s API keys',
  description: 'Never the secrets. When a key was last used is what the process that answers knows.',
  answers: { 200: jsonAnswer('The keys, revoked and expired ones too.', KeysAnswer) }
}

/** `GET /keys`: the keys of the caller's organisation, without anything a key could be made from. */
export function registerKeys (server: FastifyInstance, gate: Gate): void {
  server.get('/keys', {
    config: { access: { scope: 'admin' }, operation: KEYS_OPERATION }, schema: { response: { 200: KeysAnswer } }
  }, async (request) => {
    const tenant = tenantOf(request)
    const own = gate.directory.keys.filter(({ organisation }) => organisation === tenant)
    return {
      keys: own.map(({ organisation, sha256, ...key }) => {
        const lastUsedMs = gate.lastUsedMs(key.id)
        return lastUsedMs === undefined ? key : { ...key, last_used_at: new Date(lastUsedMs).toISOString() }
      })
    }
  })
}
