import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { pageViews } from '../../contract/index.ts'
import { TAG, buildIngest } from '../support/ingest-server.ts'
import type { InjectOptions } from 'fastify'

const VIEW = { user_id: 'u1', name: 'żółw', timestamp: '2026-01-02T03:04:05.678Z' }
const TEXT = JSON.stringify(VIEW)
const LINES = `${TEXT}\n${TEXT}\n`
const COMPRESSED: Array<[string, (text: string) => Buffer]> = [['gzip', gzipSync], ['zstd', zstdCompressSync]]

function post (url: string, payload: Buffer, encoding: string, type = 'application/json'): InjectOptions {
  return { method: 'POST', url, payload, headers: { 'content-type': type, 'content-encoding': encoding } }
}

describe.each(COMPRESSED)('a body in %s', (encoding, compress) => {
  test('is taken by every route for events', async () => {
    const ingest = await buildIngest()
    const visit = { identifier: 'x', pageUrl: '/', visitedAt: VIEW.timestamp }
    const click = { type: 0, timestamp: 1, device_id: 'd', elapsed_time: 0, target: '/', current_url: '/' }
    const requests: Array<[string, object, number]> = [
      ['/user_tags', TAG, 204], ['/page', VIEW, 204], ['/visits', visit, 202], ['/interactions/app', click, 200],
      ['/events/page_views', VIEW, 200], ['/events/page_views', [VIEW], 200]
    ]
    for (const [url, body, status] of requests) {
      const response = await ingest.server.inject(post(url, compress(JSON.stringify(body)), encoding))
      expect([url, response.statusCode]).toEqual([url, status])
    }
    await ingest.server.inject(post('/events/page_views', compress(LINES), encoding, 'application/x-ndjson'))
    expect((await ingest.storedIn(pageViews)).map((record) => record.name)).toEqual(Array(5).fill('żółw'))
  })

  test.each([
    ['/page', 64 * 1024], ['/events/page_views', 1024 * 1024], ['/interactions/app', 1024 * 1024]
  ])('at %s may come out at its limit, and not above', async (url, bytesMax) => {
    const { server } = await buildIngest()
    const padded = (bytes: number) => compress(TEXT + ' '.repeat(bytes - Buffer.byteLength(TEXT)))
    const atLimit = await server.inject(post(url, padded(bytesMax), encoding))
    expect(atLimit.statusCode === 413).toBe(false)
    const above = await server.inject(post(url, padded(bytesMax + 1), encoding))
    expect([above.statusCode, above.json().code]).toEqual([413, 'body_too_large'])
  })

  test('that is a bomb is refused without inflating it whole', async () => {
    const { server, log } = await buildIngest()
    const bomb = compress(' '.repeat(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(1024 * 1024)
    const { external } = process.memoryUsage()
    const response = await server.inject(post('/events/page_views', bomb, encoding))
    expect([response.statusCode, response.json().code]).toEqual([413, 'body_too_large'])
    expect(process.memoryUsage().external - external).toBeLessThan(16 * 1024 * 1024)
    expect(log.begun()).toBe(0)
  })

  test.each<[string, (good: Buffer) => Buffer]>([
    ['cut off', (good) => good.subarray(0, good.length - 3)],
    ['other bytes', () => Buffer.from(TEXT)],
    ['broken inside', (good) => { good.fill(0xff, 4, 14); return good }]
  ])('that is %s does not decompress', async (_name, damage) => {
    const { server } = await buildIngest()
    const response = await server.inject(post('/page', damage(compress(TEXT)), encoding))
    expect([response.statusCode, response.json().code]).toEqual([400, 'malformed_encoding'])
  })

  test('that comes out empty is empty', async () => {
    const { server } = await buildIngest()
    for (const url of ['/page', '/events/page_views']) {
      const response = await server.inject(post(url, compress(''), encoding))
      expect([response.statusCode, response.json().code]).toEqual([400, 'empty_body'])
    }
  })
})

/** A frame of one raw block, by RFC 8878 section 3.1.1: magic, flags, window, block. */
function zstdFrame (windowLog: number): Buffer {
  const content = Buffer.from(TEXT)
  const block = Buffer.alloc(3)
  block.writeUIntLE((content.length << 3) | 1, 0, 3)
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3]), block, content])
}

test('a zstd frame may ask for a window of 8 MiB, and not of 128', async () => {
  const { server } = await buildIngest()
  expect((await server.inject(post('/page', zstdFrame(23), 'zstd'))).statusCode).toBe(204)
  const response = await server.inject(post('/page', zstdFrame(27), 'zstd'))
  expect([response.statusCode, response.json().code]).toEqual([400, 'malformed_encoding'])
})

test.each(['br', 'deflate', 'gzip, gzip', 'snappy', ''])('the encoding \'%s\' is not supported', async (encoding) => {
  const { server } = await buildIngest()
  const response = await server.inject(post('/page', Buffer.from(TEXT), encoding))
  expect([response.statusCode, response.json().code]).toEqual([415, 'unsupported_encoding'])
})

test.each(['identity', 'X-GZIP', ' gzip '])('the encoding \'%s\' is another name of a supported one', async (encoding) => {
  const { server } = await buildIngest()
  const payload = encoding === 'identity' ? Buffer.from(TEXT) : gzipSync(TEXT)
  expect((await server.inject(post('/page', payload, encoding))).statusCode).toBe(204)
})
