import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An exception as ClickHouse's HTTP interface reports it. */
export interface InjectedException {
  code: number
  name: string
  /** `after`: the insert is passed on and lands, and its answer is replaced. */
  when: 'before' | 'after'
}

/** Hop-by-hop headers belong to one connection. */
const OWN_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding'])

/** An HTTP proxy in front of ClickHouse that can answer inserts with ClickHouse's own exceptions. */
export class ClickHouseProxy {
  readonly #server: Server
  readonly #agent = new Agent({ keepAlive: false })
  readonly #targetPort: number
  #exception: InjectedException | undefined
  #hits = 0
  #onInsert: (() => void) | undefined

  constructor (targetPort: number) {
    this.#targetPort = targetPort
    this.#server = createServer((message, response) => {
      this.#answer(message, response).catch(() => response.destroy())
    })
  }

  /** The port to connect to. */
  async listen (): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on every insert is answered so. */
  inject (exception: InjectedException): void {
    this.#exception = exception
    this.#hits = 0
  }

  /** Ends it; how many inserts were answered so. */
  relent (): number {
    this.#exception = undefined
    return this.#hits
  }

  /** Resolves when the next insert is on its way to ClickHouse, or the signal aborts. */
  async nextInsert (signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onInsert = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#onInsert = undefined
  }

  async close (): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    this.#agent.destroy()
    await closed
  }

  async #answer (message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(message)
    const query = new URL(message.url ?? '/', 'http://localhost').searchParams.get('query') ?? ''
    const exception = /^\s*INSERT\s/i.test(query) ? this.#exception : undefined
    if (exception?.when === 'before') return this.#refuse(response, exception)
    const passed = await this.#pass(message, body, /^\s*INSERT\s/i.test(query))
    const answer = await buffer(passed)
    if (exception !== undefined) return this.#refuse(response, exception)
    const headers = Object.entries(passed.headers).filter(([name]) => !OWN_HEADERS.has(name))
    response.writeHead(passed.statusCode ?? 502, Object.fromEntries(headers))
    response.end(answer)
  }

  async #pass (message: IncomingMessage, body: Buffer, insert: boolean): Promise<IncomingMessage> {
    const headers = Object.entries(message.headers).filter(([name]) => !OWN_HEADERS.has(name))
    const outgoing = request({
      host: '127.0.0.1',
      port: this.#targetPort,
      agent: this.#agent,
      method: message.method,
      path: message.url,
      headers: { ...Object.fromEntries(headers), 'content-length': String(body.length) }
    })
    outgoing.end(body, () => { if (insert) this.#onInsert?.() })
    const [passed] = await once(outgoing, 'response') as [IncomingMessage]
    return passed
  }

  #refuse (response: ServerResponse, { code, name }: InjectedException): void {
    this.#hits += 1
    response.writeHead(500, { 'X-ClickHouse-Exception-Code': String(code), 'Content-Type': 'text/plain; charset=UTF-8' })
    response.end(`Code: ${code}. DB::Exception: Injected by a test. (${name}) (version 26.7.1.1)\n`)
  }
}
