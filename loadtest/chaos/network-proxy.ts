import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** More than this may not wait in one direction: the sender is then made to wait. */
const WAITING_BYTES_MAX = 1024 * 1024

/**
 * A TCP proxy on 127.0.0.1 that can be late, refuse and cut connections, or carry nothing without closing
 * them, as a network does that lost its state.
 */
export class NetworkProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #targetPort: number
  #delayMs = 0
  #down = false
  #swallowing = false

  constructor (targetPort: number) {
    this.#targetPort = targetPort
    this.#server = createServer((client) => this.#join(client))
  }

  /** The port to connect to. */
  async listen (): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => resolve())
    })
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on what is sent arrives so much later; 0 ends it. */
  delay (ms: number): void {
    this.#delayMs = ms
  }

  /** Cuts every connection, in the middle of whatever it carries, and refuses new ones until `mend`. */
  cut (): void {
    this.#down = true
    this.#destroyAll()
  }

  /** Nothing arrives any more, and nobody is told; ends with `mend`. */
  swallow (): void {
    this.#swallowing = true
  }

  /** What was swallowed stays lost, so those connections are cut. */
  mend (): void {
    if (this.#swallowing) this.#destroyAll()
    this.#down = false
    this.#swallowing = false
  }

  async close (): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#destroyAll()
    await closed
  }

  #join (client: Socket): void {
    if (this.#down) {
      client.destroy()
      return
    }
    const server = connect(this.#targetPort, '127.0.0.1')
    this.#carry(client, server)
    this.#carry(server, client)
  }

  #carry (from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    let waitingBytes = 0
    let lastDueMs = 0
    from.on('data', (chunk) => {
      if (this.#swallowing) return
      if (this.#delayMs === 0 && waitingBytes === 0) {
        if (!to.write(chunk)) pauseUntilDrained(from, to)
        return
      }
      // Never before what came before it.
      lastDueMs = Math.max(lastDueMs, performance.now() + this.#delayMs)
      waitingBytes += chunk.length
      if (waitingBytes > WAITING_BYTES_MAX) from.pause()
      setTimeout(() => {
        waitingBytes -= chunk.length
        if (waitingBytes <= WAITING_BYTES_MAX) from.resume()
        if (!to.destroyed) to.write(chunk)
      }, lastDueMs - performance.now())
    })
    from.on('end', () => { if (waitingBytes === 0) to.end() })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }

  #destroyAll (): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

function pauseUntilDrained (from: Socket, to: Socket): void {
  from.pause()
  to.once('drain', () => from.resume())
}
