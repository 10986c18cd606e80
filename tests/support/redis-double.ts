/**
 * A double of Redis, over a real socket: it counts as the rate limiter's script does, and answers whatever
 * else a client says when it connects. It can be silent, or away.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export class RedisDouble {
  /** Requests that it has counted. */
  counted = 0
  /** Takes commands and answers none. */
  silent = false
  readonly #counts = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0
  #scriptKnown = false

  get url (): string {
    return `redis://127.0.0.1:${this.#port}`
  }

  /** Listens; after `leave` on the same port as before. */
  async come (): Promise<void> {
    this.#server = createServer((socket) => { this.#serve(socket) })
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Closes every connection and takes no new one. */
  async leave (): Promise<void> {
    if (this.#server?.listening !== true) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** No request was ever counted. */
  forget (): void {
    this.#counts.clear()
  }

  #serve (socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (let read = readCommand(text); read !== undefined; read = readCommand(text)) {
        text = text.slice(read.length)
        if (!this.silent) socket.write(this.#answer(read.words))
      }
    })
  }

  #answer ([name = '', ...args]: string[]): string {
    const command = name.toLowerCase()
    // The script is not known until it was sent whole.
    if (command === 'evalsha' && !this.#scriptKnown) return '-NOSCRIPT No matching script\r\n'
    if (command === 'evalsha' || command === 'eval') {
      this.#scriptKnown = true
      const [, , key = '', windowMs = '0'] = args
      const current = (this.#counts.get(key) ?? 0) + 1
      this.#counts.set(key, current)
      this.counted += 1
      return `*2\r\n:${current}\r\n:${windowMs}\r\n`
    }
    if (command === 'info') return '$19\r\nredis_version:7.0.0\r\n'
    return '+OK\r\n'
  }
}

/** The command at the beginning: an array of bulk strings; undefined until all of it is there. */
function readCommand (text: string): { words: string[], length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text)
  if (head === null) return undefined
  let at = head[0].length
  const words: string[] = []
  for (let left = Number(head[1]); left > 0; left -= 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at))
    if (size === null) return undefined
    const start = at + size[0].length
    at = start + Number(size[1]) + 2
    if (text.length < at) return undefined
    words.push(text.slice(start, at - 2))
  }
  return { words, length: at }
}
