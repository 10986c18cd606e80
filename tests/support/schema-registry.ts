import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** A double of the Confluent schema registry: the two calls that the codec makes, over real HTTP. */
export interface RegistryDouble {
  url: string
  /** Schemas by id minus one. */
  schemas: string[]
  /** Status that the next answers carry instead of succeeding; 0 answers normally. */
  failWith: number
  requests: string[]
  close: () => Promise<void>
}

export async function startRegistryDouble (): Promise<RegistryDouble> {
  const double: RegistryDouble = { url: '', schemas: [], failWith: 0, requests: [], close: async () => {} }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => { body += chunk }).on('end', () => {
      double.requests.push(`${request.method} ${request.url}`)
      const { status, answer } = respond(double, request.method ?? '', request.url ?? '', body)
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      response.end(JSON.stringify(answer))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  double.close = async () => { server.close(); server.closeAllConnections(); await once(server, 'close') }
  return double
}

function respond (
  double: RegistryDouble, method: string, path: string, body: string
): { status: number, answer: unknown } {
  if (double.failWith !== 0) return { status: double.failWith, answer: { error_code: double.failWith * 100 } }
  if (method === 'POST' && /^\/subjects\/[^/]+\/versions$/.test(path)) {
    const { schema } = JSON.parse(body) as { schema: string }
    if (!double.schemas.includes(schema)) double.schemas.push(schema)
    return { status: 200, answer: { id: double.schemas.indexOf(schema) + 1 } }
  }
  const schema = double.schemas[Number(/^\/schemas\/ids\/(\d+)$/.exec(path)?.[1]) - 1]
  if (method === 'GET' && schema !== undefined) return { status: 200, answer: { schema } }
  return { status: 404, answer: { error_code: 40403, message: 'Schema not found' } }
}
