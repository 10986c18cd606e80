import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/**
 * A TCP proxy on 127.0.0.1 whose open connections can be made to swallow everything without closing, as a
 * network does that lost its state. New connections work.
 */
export class BlackHoleProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #targetPort = 0

  constructor () {
    this.#server = createServer((client) => this.#join(client, connect(this.#targetPort, '127.0.0.1')))
  }

  /** The port to connect to. */
  async listen (): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve()))
    return (this.#server.address() as AddressInfo).port
  }

  target (port: number): void {
    this.#targetPort = port
  }

  /** From now on the connections that are open carry nothing, and stay open. */
  swallow (): void {
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.resume()
    }
  }

  async close (): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join (client: Socket, server: Socket): void {
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }
}
