/** The faults that chaos runs inject are the ones that the pipeline meets: seen through its own client. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createClient } from '@clickhouse/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { classifyFault, clickHouseCode } from '../../../clickhouse/index.ts'
import { ClickHouseProxy } from '../../../loadtest/chaos/clickhouse-proxy.ts'
import { NetworkProxy } from '../../../loadtest/chaos/network-proxy.ts'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Statements that have reached the server behind the proxies, the rows of inserts included. */
let landed: string[]
let server: Server
let clickHouse: ClickHouseProxy
let network: NetworkProxy
let client: ReturnType<typeof createClient>

beforeEach(async () => {
  landed = []
  server = createServer((message, response) => {
    let body = ''
    message.setEncoding('utf8').on('data', (part: string) => { body += part })
    message.on('end', () => {
      landed.push(new URL(message.url ?? '/', 'http://localhost').searchParams.get('query') ?? body)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  clickHouse = new ClickHouseProxy((server.address() as AddressInfo).port)
  network = new NetworkProxy(await clickHouse.listen())
  client = createClient({ url: `http://127.0.0.1:${await network.listen()}`, request_timeout: 3_000 })
})

afterEach(async () => {
  await client.close()
  await network.close()
  await clickHouse.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function insert (): Promise<unknown> {
  return client.insert({ table: 'rows', values: [{ n: 1 }], format: 'JSONEachRow' })
}

async function failureOf (attempt: Promise<unknown>): Promise<unknown> {
  return await attempt.then(() => undefined, (error: unknown) => error)
}

test.each([
  { code: 252, name: 'TOO_MANY_PARTS' },
  { code: 241, name: 'MEMORY_LIMIT_EXCEEDED' },
  { code: 159, name: 'TIMEOUT_EXCEEDED' }
])('$name comes as ClickHouse says it, and the insert has landed or not, as was asked', async (exception) => {
  for (const [when, inserts] of [['before', 0], ['after', 1]] as const) {
    landed = []
    clickHouse.inject({ ...exception, when })
    const failure = await failureOf(insert())
    expect(clickHouseCode(failure)).toBe(exception.code)
    expect(classifyFault(failure)).toBe('retry')
    expect(landed).toHaveLength(inserts)
    expect(clickHouse.relent()).toBe(1)
    await insert()
    expect(landed).toHaveLength(inserts + 1)
  }
})

test('other statements pass while inserts are refused', async () => {
  clickHouse.inject({ code: 252, name: 'TOO_MANY_PARTS', when: 'before' })
  await client.command({ query: 'SELECT 1' })
  expect(landed).toHaveLength(1)
  expect(clickHouse.relent()).toBe(0)
})

test('a connection that is cut or swallows is a fault to repeat, and works again when it is mended', async () => {
  for (const harm of [() => network.cut(), () => network.swallow()]) {
    await insert()
    harm()
    const failure = await failureOf(insert())
    expect(failure).toBeInstanceOf(Error)
    expect(classifyFault(failure)).toBe('retry')
    network.mend()
    await insert()
  }
  expect(landed).toHaveLength(4)
})

test('a connection that is late is late both ways', async () => {
  network.delay(60)
  const began = performance.now()
  await insert()
  // A timer may be a millisecond early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(118)
})
