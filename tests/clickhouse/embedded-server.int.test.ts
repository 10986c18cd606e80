import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEmbeddedServer } from '../../clickhouse/index.ts'
import { READER, WRITER, startServerProcess } from '../support/clickhouse.ts'
import type { EmbeddedServerOptions } from '../../clickhouse/index.ts'
import type { ServerProcess } from '../support/clickhouse.ts'

const SLOW = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)'

let directory: string
let server: ServerProcess
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-embedded-'))
  const limits = { queriesMax: 2, queriesWaitingMax: 3 }
  server = await startServerProcess({ directory, limits, readLimits: { secondsMax: 3 } })
})
afterAll(async () => {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

function send (query: string, init: RequestInit = {}, user = READER): Promise<Response> {
  const headers = { 'X-ClickHouse-User': user.name, 'X-ClickHouse-Key': user.password, ...init.headers }
  return fetch(server.url, { method: 'POST', body: query, ...init, headers })
}

const code = (response: Response): string | null => response.headers.get('x-clickhouse-exception-code')

async function running (): Promise<number> {
  const response = await send('SELECT count() FROM system.processes', {}, WRITER)
  return Number(await response.text()) - 1
}

test('another host than loopback is refused', async () => {
  const options = { directory, port: 0, host: '0.0.0.0' } as unknown as EmbeddedServerOptions
  await expect(startEmbeddedServer(options)).rejects.toThrow(RangeError)
})

test('a data directory that another process has open is refused with a clear error', async () => {
  const users = [WRITER]
  const limits = { memoryBytesMax: 1e9, queriesMax: 2, queriesWaitingMax: 3, threadsPerQuery: 1 }
  const log = { warn: () => undefined }
  const second = startEmbeddedServer({ directory, port: 0, host: '127.0.0.1', users, limits, log })
  await expect(second).rejects.toMatchObject({
    code: 'data_directory_unavailable', message: expect.stringContaining(`process ${server.pid} has it open`)
  })
})

test('one more query than may wait is refused with code 202 and status 503, and the others are answered', async () => {
  const responses = await Promise.all(Array.from({ length: 8 }, () => send('SELECT sleep(1)')))
  const codes = await Promise.all(responses.map(async (response) => {
    await response.text()
    return `${response.status} ${code(response) ?? ''}`.trim()
  }))
  expect(codes.sort()).toEqual([...Array(5).fill('200'), ...Array(3).fill('503 202')])
})

test('a query whose client has gone is killed, and its place is free at once', async () => {
  const gone = new AbortController()
  const lost = send(SLOW, { signal: gone.signal }, WRITER).catch(() => 'gone')
  await expect.poll(running).toBe(1)
  gone.abort()
  expect(await lost).toBe('gone')
  // By itself it would run for many minutes.
  await expect.poll(running).toBe(0)
})

test('a request whose client goes away while it waits never runs', async () => {
  const slow = [1, 2].map(() => send('SELECT sleep(1)'))
  const gone = new AbortController()
  const waiting = send("INSERT INTO FUNCTION null('x UInt8') VALUES (1)", { signal: gone.signal }, WRITER).catch(() => 'gone')
  await new Promise((resolve) => setImmediate(resolve))
  gone.abort()
  expect(await waiting).toBe('gone')
  for (const response of await Promise.all(slow)) expect(response.status).toBe(200)
})

test('basic authentication and the parameters user and password work too', async () => {
  const basic = `Basic ${Buffer.from(`${WRITER.name}:${WRITER.password}`).toString('base64')}`
  const withHeader = await fetch(server.url, { method: 'POST', body: 'SELECT 1', headers: { Authorization: basic } })
  expect(await withHeader.text()).toBe('1\n')
  const inUrl = await fetch(`${server.url}/?user=${WRITER.name}&password=${WRITER.password}&query=SELECT+2`)
  expect(await inUrl.text()).toBe('2\n')
})

test('a request without a user is refused where there is no user default', async () => {
  const response = await fetch(`${server.url}/?query=SELECT+1`)
  expect([response.status, code(response)]).toEqual([403, '516'])
})

test('a web page of another origin is refused', async () => {
  const response = await send('SELECT 1', { headers: { Origin: 'https://example.com' } }, WRITER)
  expect([response.status, code(response)]).toEqual([403, '497'])
})

test('a request by another host name is refused', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.write('GET /ping HTTP/1.1\r\nHost: rebound.example.com\r\nConnection: close\r\n\r\n')
  expect(Buffer.concat(await socket.toArray()).toString()).toMatch(/^HTTP\/1.1 403 /)
})

test('a body that inflates beyond the limit is refused with code 229', async () => {
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, 32))
  const response = await send('', { body: bomb, headers: { 'Content-Encoding': 'gzip' } }, WRITER)
  expect([response.status, code(response)]).toEqual([413, '229'])
})

test('a plain body above the limit is refused with code 229, and the connection still serves', async () => {
  const chunk = new Uint8Array(1024 * 1024).fill(32)
  const body = new ReadableStream({
    start (controller) {
      for (let sent = 0; sent < 130; sent++) controller.enqueue(chunk)
      controller.close()
    }
  })
  const response = await send('', { body, duplex: 'half' } as RequestInit, WRITER)
  expect([response.status, code(response)]).toEqual([413, '229'])
  await response.text()
  expect(await (await send('SELECT 1')).text()).toBe('1\n')
})

test('what the embedded server lacks is refused with code 48, not ignored', async () => {
  for (const path of ['/?session_id=a', '/?role=admin', '/?decompress=1']) {
    const response = await fetch(server.url + path, {
      method: 'POST', body: 'SELECT 1', headers: { 'X-ClickHouse-User': WRITER.name, 'X-ClickHouse-Key': WRITER.password }
    })
    expect([path, response.status, code(response)]).toEqual([path, 501, '48'])
  }
  const body = Buffer.concat([Buffer.from('INSERT INTO t FORMAT RowBinary\n'), Buffer.from([255, 254])])
  const binary = await send('', { body }, WRITER)
  expect(code(binary)).toBe('48')
})

test.each([
  ['format_schema', '/etc/passwd'], ['format_template_resultset', '/etc/passwd'], ['output_format_schema', 'x'], ['readonly', '2'], ['allow_ddl', '1']
])('the reader may not set %s', async (name, value) => {
  const response = await fetch(`${server.url}/?${name}=${encodeURIComponent(value)}`, {
    method: 'POST', body: 'SELECT 1', headers: { 'X-ClickHouse-User': READER.name, 'X-ClickHouse-Key': READER.password }
  })
  expect(code(response)).toBe('164')
})

test('closing answers what runs, refuses what comes, and lets the directory be opened again', async () => {
  const other = mkdtempSync(join(tmpdir(), 'millrace-close-'))
  const first = await startServerProcess({ directory: other })
  const headers = { 'X-ClickHouse-User': WRITER.name, 'X-ClickHouse-Key': WRITER.password }
  const last = fetch(first.url, { method: 'POST', body: 'SELECT sleep(3)', headers })
  await expect.poll(async () => {
    const response = await fetch(first.url, { method: 'POST', body: 'SELECT count() FROM system.processes', headers })
    return await response.text()
  }).toBe('2\n')
  const stopped = first.stop()
  expect(await (await last).text()).toBe('0\n')
  await stopped
  await expect(fetch(first.url)).rejects.toThrow()
  const again = await startServerProcess({ directory: other })
  await again.stop()
  rmSync(other, { recursive: true, force: true })
})
