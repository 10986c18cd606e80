import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { IncomingMessage } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { serverError } from './server-error.ts'

/** Bytes of one body after decompression: a batch of 50,000 rows of 1 KB fits. */
export const BODY_BYTES_MAX = 128 * 1024 * 1024
/** Bytes of all bodies that are being read or wait for their turn. */
export const BODIES_BYTES_MAX = 256 * 1024 * 1024

const DECODERS: Record<string, () => Transform> = {
  gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress, zstd: createZstdDecompress
}

/** Counts the bytes of all bodies in memory, so that many large requests cannot add up to too much. */
export class BodyBudget {
  private bytes = 0

  /** Reads a body, decompressed. Throws ServerError above either limit. The caller calls `release`. */
  async read (message: IncomingMessage): Promise<{ body: Buffer, release: () => void }> {
    let held = 0
    const release = (): void => {
      this.bytes -= held
      held = 0
    }
    const chunks: Buffer[] = []
    try {
      const source = decoded(message)
      for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        held += chunk.length
        this.bytes += chunk.length
        if (held > BODY_BYTES_MAX) {
          throw serverError('QUERY_IS_TOO_LARGE', `A body holds at most ${BODY_BYTES_MAX} bytes`)
        }
        if (this.bytes > BODIES_BYTES_MAX) {
          throw serverError('TOO_MANY_SIMULTANEOUS_QUERIES', 'Too many bytes are waiting')
        }
        chunks.push(chunk)
      }
    } catch (error) {
      release()
      throw isZlibError(error) ? serverError('ZLIB_INFLATE_FAILED', 'The body cannot be decompressed', error) : error
    }
    return { body: Buffer.concat(chunks), release }
  }
}

function decoded (message: IncomingMessage): Readable {
  const encoding = message.headers['content-encoding']?.toLowerCase() ?? 'identity'
  if (encoding === 'identity') return message
  const decoder = DECODERS[encoding]?.()
  if (decoder === undefined) throw serverError('NOT_IMPLEMENTED', `Content-Encoding ${encoding} is not supported`)
  message.on('error', (error) => decoder.destroy(error))
  // A body that is refused half-way is still read to its end: the connection could not be used again else.
  decoder.once('error', () => message.unpipe(decoder).resume())
  return message.pipe(decoder)
}

function isZlibError (error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return typeof error.code === 'string' && /^(Z_|ERR__?ZSTD|ERR__?BROTLI|ZSTD_)/.test(error.code)
}

/** Fields of a multipart/form-data body, as ClickHouse clients send long parameters. */
export async function readForm (contentType: string, body: Buffer): Promise<Array<[string, string]>> {
  try {
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData()
    return [...form].map(([name, value]) => {
      if (typeof value !== 'string') throw serverError('NOT_IMPLEMENTED', 'External tables are not supported')
      return [name, value]
    })
  } catch (error) {
    if (error instanceof TypeError) throw serverError('BAD_ARGUMENTS', 'Malformed multipart body', error)
    throw error
  }
}
