import { jsonAnswer } from './operation.ts'
import type { FastifyInstance } from 'fastify'
import type { Operation } from './operation.ts'

/**
 * One thing that must hold; `check` rejects with the reason where it does not, and may resolve with what is
 * worth knowing where it does.
 */
export interface HealthCheck {
  name: string
  check: () => Promise<string | void>
}

export interface HealthOptions {
  /** The role's own state: may it be given work? */
  ready: readonly HealthCheck[]
  /** What the role depends on, asked anew at each call. */
  dependencies: readonly HealthCheck[]
}

/** Milliseconds after which a check counts as failed. */
const CHECK_MS_MAX = 2_000

const LIVE_OPERATION: Operation = {
  id: 'readLiveness',
  tag: 'Operations',
  summary: 'Does the process answer?',
  answers: {
    200: jsonAnswer('It does.', {
      type: 'object', properties: { status: { type: 'string', enum: ['ok'] } }, required: ['status']
    })
  }
}

const HEALTH_SCHEMA = {
  title: 'Health',
  type: 'object',
  properties: {
    status: { type: 'string', enum: ['ok', 'unavailable'] },
    checks: {
      type: 'array',
      items: {
        type: 'object',
        properties: { name: { type: 'string' }, ok: { type: 'boolean' }, reason: { type: 'string' } },
        required: ['name', 'ok']
      }
    }
  },
  required: ['status', 'checks']
}

const READY_OPERATION = healthOperation('readReadiness', 'May the process be given work?')
const DEPENDENCIES_OPERATION = healthOperation('readDependencies', 'Does what the process stands on answer?')

function healthOperation (id: string, summary: string): Operation {
  return {
    id,
    tag: 'Operations',
    summary,
    answers: {
      200: jsonAnswer('Every check holds.', HEALTH_SCHEMA), 503: jsonAnswer('A check fails.', HEALTH_SCHEMA)
    }
  }
}

/**
 * `/health/live`: the process answers. `/health/ready`: it may be given work. `/health/dependencies`: what it
 * stands on answers; a failure here is for people and dashboards, not for restarting the process.
 */
export function registerHealth (server: FastifyInstance, { ready, dependencies }: HealthOptions): void {
  server.get('/health/live', { config: { operation: LIVE_OPERATION } }, async () => ({ status: 'ok' }))
  for (const { path, checks, operation } of [
    { path: '/health/ready', checks: ready, operation: READY_OPERATION },
    { path: '/health/dependencies', checks: dependencies, operation: DEPENDENCIES_OPERATION }
  ]) {
    server.get(path, { config: { operation } }, async (_request, reply) => {
      const results = await Promise.all(checks.map(runCheck))
      const ok = results.every((result) => result.ok)
      return reply.code(ok ? 200 : 503).send({ status: ok ? 'ok' : 'unavailable', checks: results })
    })
  }
}

interface CheckResult {
  name: string
  ok: boolean
  reason?: string
  note?: string
}

async function runCheck ({ name, check }: HealthCheck): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS_MAX} ms`)), CHECK_MS_MAX)
  })
  try {
    const note = await Promise.race([check(), deadline])
    return note === undefined ? { name, ok: true } : { name, ok: true, note }
  } catch (error) {
    return { name, ok: false, reason: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}
