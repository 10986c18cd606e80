/**
 * The ClickHouse HTTP interface over chDB, for one machine: the same client, SQL and errors as with a server,
 * so that everything above has one code path. Listens on loopback only.
 *
 * Guarantees: an insert that was answered is as durable as ClickHouse makes it (it survives a killed
 * process); settings and parameters of a request end with it; the read-only user cannot write, reach files or
 * the network, or exceed its limits; queue, bodies and results are bounded.
 *
 * Not here: native protocol, sessions, roles, external tables, binary insert formats, progress headers.
 *
 * chDB runs each query on a libuv thread: whoever starts the process sets UV_THREADPOOL_SIZE to at least
 * twice `limits.queriesMax`, so that files and compression find a thread too.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EngineLimits } from '../config.ts'
import { Engine } from './engine.ts'
import { readHead, toEngineRequest } from './http-request.ts'
import { sendAnswer, sendError } from './http-response.ts'
import { BoundedQueue } from './queue.ts'
import { BodyBudget } from './request-body.ts'
import { serverError } from './server-error.ts'
import type { EmbeddedUser } from './authenticate.ts'

export { DataDirectoryError } from './engine.ts'
export type { EmbeddedUser } from './authenticate.ts'

export interface EmbeddedServerOptions {
  /** Created where it is missing; one process at a time. */
  directory: string
  /** 0 takes a free port. */
  port: number
  host: '127.0.0.1'
  users: readonly EmbeddedUser[]
  limits: EngineLimits
  log: { warn: (fields: object, message: string) => void }
}

export interface EmbeddedServer {
  url: string
  /** Refuses new requests, waits for those that run, closes the data directory. */
  close: () => Promise<void>
}

/** Longer than clients keep idle sockets, so that they close first. */
const KEEP_ALIVE_MS = 10_000
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Opens the data directory and listens. Throws DataDirectoryError, or the socket's error where the port is
 * taken.
 */
export async function startEmbeddedServer (options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { directory, port, host, users, limits, log } = options
  if (host !== '127.0.0.1') throw new RangeError('The embedded server listens on 127.0.0.1 only')
  const engine = new Engine(directory, limits)
  const queue = new BoundedQueue({ runningMax: limits.queriesMax, waitingMax: limits.queriesWaitingMax })
  const context = { engine, queue, users, log, budget: new BodyBudget() }
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (message, response) => {
    // While closing, a connection is closed as soon as its last answer is out.
    response.once('close', () => { if (!server.listening) server.closeIdleConnections() })
    handle(message, response, context).catch((error) => response.destroy(error))
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    await engine.close()
    throw error
  }
  const address = server.address() as AddressInfo
  return { url: `http://${host}:${address.port}`, close: () => close(server, engine) }
}

interface Context {
  engine: Engine
  queue: BoundedQueue
  budget: BodyBudget
  users: readonly EmbeddedUser[]
  log: EmbeddedServerOptions['log']
}

async function handle (message: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://localhost')
  const queryId = url.searchParams.get('query_id') ?? randomUUID()
  try {
    assertLocal(message)
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') sendOk(response)
    else if (url.pathname !== '/') sendNotFound(response)
    else if (message.method === 'GET' && !url.searchParams.has('query')) sendOk(response)
    else await answer(message, response, { ...context, url, queryId })
  } catch (error) {
    // The rest of a refused body is read and thrown away, so that the client gets to read the answer.
    message.unpipe().resume()
    if (response.destroyed) return
    if (!(error instanceof Error && 'code' in error)) context.log.warn({ err: error, queryId }, 'query failed')
    sendError(response, error, queryId, context.engine.version)
  }
}

async function answer (
  message: IncomingMessage, response: ServerResponse, context: Context & { url: URL, queryId: string }
): Promise<void> {
  const { engine, queue, budget, users, url, queryId } = context
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const head = readHead(message, url, users)
  const { body, release } = await budget.read(message)
  try {
    const request = await toEngineRequest(message, head, body)
    const { result, elapsedMs } = await queue.run(gone.signal, async () => {
      const startedAt = performance.now()
      const result = await engine.run({ ...request, signal: gone.signal })
      return { result, elapsedMs: performance.now() - startedAt }
    })
    const named = request.statement.kind === 'query' ? request.statement.format : undefined
    const format = named ?? request.format
    await sendAnswer(message, response, { queryId, format, answer: result, elapsedMs })
  } finally {
    release()
  }
}

/** Web pages cannot reach the server: neither by a name of their own (DNS rebinding) nor by a form. */
function assertLocal ({ headers }: IncomingMessage): void {
  const hosts = [`http://${headers.host ?? ''}`, headers.origin].filter((text) => text !== undefined)
  for (const text of hosts) {
    if (!URL.canParse(text) || !LOOPBACK_HOSTS.has(new URL(text).hostname)) {
      throw serverError('ACCESS_DENIED', 'Only requests from this machine are answered')
    }
  }
}

function sendOk (response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=UTF-8' }).end('Ok.\n')
}

function sendNotFound (response: ServerResponse): void {
  response.writeHead(404, { 'Content-Type': 'text/plain; charset=UTF-8' }).end('There is no such path\n')
}

async function close (server: Server, engine: Engine): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  await closed
  await engine.close()
}
