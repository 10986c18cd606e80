import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'

/** Below the ports that systems give to whoever asks for any: nobody gets one by chance before it is used. */
const PORT_MIN = 20_000
const PORT_MAX = 32_000
const TRIES_MAX = 100

/** Ports of 127.0.0.1 that were free a moment ago, all different. */
export async function freePorts (count: number): Promise<number[]> {
  const servers: Server[] = []
  for (let tries = 0; servers.length < count; tries++) {
    const server = await occupyPort(randomInt(PORT_MIN, PORT_MAX)).catch((error: unknown) => {
      if (tries >= TRIES_MAX) throw error
    })
    if (server !== undefined) servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** A server that never answers; on a port of its own, where none is named. */
export async function occupyPort (port = 0): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
  return server
}
