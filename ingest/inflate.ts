import { promisify } from 'node:util'
import { constants, gunzip, zstdDecompress } from 'node:zlib'
import { MillraceError } from '../contract/index.ts'

/** log2 of the window that a zstd frame may ask for: 8 MiB, as RFC 8878 section 3.1.1.1.2 recommends. */
const ZSTD_WINDOW_LOG_MAX = 23

type Inflate = (body: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>

const inflateGzip: Inflate = promisify(gunzip)
const zstd = promisify(zstdDecompress)
const inflateZstd: Inflate = (body, limits) => {
  return zstd(body, { ...limits, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } })
}

const CODINGS: ReadonlyMap<string, Inflate> = new Map([
  ['gzip', inflateGzip],
  ['x-gzip', inflateGzip],
  ['zstd', inflateZstd],
  ['identity', async (body) => body]
])

/**
 * The body behind a Content-Encoding, inflated no further than `bytesMax`. Throws `unsupported_encoding`,
 * `malformed_encoding`, or `body_too_large` as soon as more would come out.
 */
export async function inflate (coding: string, body: Buffer, bytesMax: number): Promise<Buffer> {
  const inflater = CODINGS.get(coding.trim().toLowerCase())
  if (inflater === undefined) throw new MillraceError('unsupported_encoding', 'gzip and zstd are supported')
  try {
    return await inflater(body, { maxOutputLength: bytesMax })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new MillraceError('body_too_large', `The inflated body has more than ${bytesMax} bytes`)
    }
    throw new MillraceError('malformed_encoding', 'The body does not decompress', { cause })
  }
}
