import { Agent, request } from 'node:http'

export interface Answer {
  status: number
  body: string
}

const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]']
/** Longer than the server's own budgets: whoever waits so long has no answer. */
const ANSWER_MS_MAX = 10_000

/**
 * HTTP over kept-alive connections to this machine; a load test must not reach anyone else. What is sent
 * while all connections are busy waits for a free one.
 */
export class LoopbackClient {
  readonly #base: URL
  readonly #agent: Agent

  /** Throws where the base URL is not plain HTTP on loopback. */
  constructor ({ baseUrl, connectionsMax }: { baseUrl: string, connectionsMax: number }) {
    this.#base = new URL(baseUrl)
    if (this.#base.protocol !== 'http:' || !LOOPBACK_HOSTS.includes(this.#base.hostname)) {
      throw new Error(`${baseUrl} is not HTTP on loopback`)
    }
    this.#agent = new Agent({ keepAlive: true, maxSockets: connectionsMax })
  }

  async get (path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.#send('GET', path, undefined, headers)
  }

  /**
   * Sends a body as JSON, or none. Rejects where no answer comes, or where the signal aborts first: then the
   * connection is cut.
   */
  async post (
    path: string, body?: string, headers: Record<string, string> = {}, signal?: AbortSignal
  ): Promise<Answer> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    return await this.#send('POST', path, body, { ...type, ...headers }, signal)
  }

  close (): void {
    this.#agent.destroy()
  }

  #send (
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
    signal?: AbortSignal
  ): Promise<Answer> {
    const { hostname, port } = this.#base
    return new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body ?? '')) }
      const sent = request({
        method,
        path,
        port,
        host: hostname.replace(/[[\]]/g, ''),
        agent: this.#agent,
        timeout: ANSWER_MS_MAX,
        ...(signal === undefined ? {} : { signal }),
        headers: { ...length, ...headers }
      }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => { text += part })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        response.on('error', reject)
      })
      sent.on('timeout', () => sent.destroy(new Error(`No answer within ${ANSWER_MS_MAX} ms`)))
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
