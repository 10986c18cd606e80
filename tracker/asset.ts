import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A file that does not change while the process runs, with the headers of its answers. */
export interface Asset {
  content: Buffer
  etag: string
  headers: Readonly<Record<string, string>>
}

export interface AssetOptions {
  content: string
  type: string
  /** Cache-Control. */
  caching: string
  headers?: Readonly<Record<string, string>>
}

export function createAsset ({ content, type, caching, headers = {} }: AssetOptions): Asset {
  const etag = `"${hash('sha256', content, 'base64url')}"`
  return {
    content: Buffer.from(content),
    etag,
    headers: { 'content-type': type, 'cache-control': caching, etag, ...headers }
  }
}

/** Answers 200, or 304 without content where the client has it already (RFC 9110 section 13.1.2). */
export function sendAsset (
  request: FastifyRequest, reply: FastifyReply, { content, etag, headers }: Asset
): FastifyReply {
  reply.headers(headers)
  if (!hasEtag(request.headers['if-none-match'], etag)) return reply.send(content)
  return reply.removeHeader('content-type').code(304).send()
}

/** Proxies that compress make an ETag weak; the comparison is weak, too. */
function hasEtag (ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.split(',').map((text) => text.trim().replace(/^W\//, ''))
    .some((text) => text === etag || text === '*')
}
