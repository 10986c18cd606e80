import { Agent, request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'

/** Beyond it a request counts as failed: nothing of ours takes so long. */
const REQUEST_MS_MAX = 30_000

export interface HttpRequest {
  method?: string
  /** Sent as it is: nothing is normalised or encoded. */
  path: string
  headers?: Record<string, string>
  body?: string | Buffer
}

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  elapsedMs: number
}

/** A client of one port on loopback, with connections that are kept; leaner than fetch, and rawer. */
export class HttpClient {
  readonly #port: number
  readonly #agent: Agent

  constructor ({ port, connectionsMax = 64 }: { port: number, connectionsMax?: number }) {
    this.#port = port
    this.#agent = new Agent({ keepAlive: true, maxSockets: connectionsMax })
  }

  /** Rejects where there is no whole answer: the outcome of the request is then unknown. */
  send ({ method = 'GET', path, headers = {}, body }: HttpRequest): Promise<HttpAnswer> {
    const startMs = performance.now()
    const unsized = body === undefined || 'transfer-encoding' in headers
    const length = unsized ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const outgoing = request({
        host: '127.0.0.1',
        port: this.#port,
        agent: this.#agent,
        method,
        path,
        headers: { ...length, ...headers },
        timeout: REQUEST_MS_MAX
      }, (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString(),
          elapsedMs: performance.now() - startMs
        }))
      })
      outgoing.on('error', reject)
      outgoing.on('timeout', () => outgoing.destroy(new Error(`No answer within ${REQUEST_MS_MAX} ms`)))
      outgoing.end(body)
    })
  }

  async getJson (path: string): Promise<unknown> {
    return JSON.parse((await this.send({ path })).text)
  }

  close (): void {
    this.#agent.destroy()
  }
}
