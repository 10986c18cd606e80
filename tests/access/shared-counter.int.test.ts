import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectSharedCounter } from '../../access/index.ts'
import { RedisDouble } from '../support/redis-double.ts'
import { until } from '../support/until.ts'
import { accessFolder, fileWithKeys, startGuarded } from './access-server.ts'

const DEADLINE_MS = 30_000
const AWAY = 'Redis does not answer: requests are not limited'
const BACK = 'requests are counted by Redis again'

let redis: RedisDouble
let folder: ReturnType<typeof accessFolder>
let secret: string
let said: string[]
let closers: Array<() => Promise<void>>
beforeEach(async () => {
  redis = new RedisDouble()
  await redis.come()
  folder = accessFolder()
  const { file, secrets } = fileWithKeys([{ organisation: 'acme', rateLimitPerSecond: 2 }])
  folder.write(file)
  secret = secrets[0]
  said = []
  closers = [async () => { folder.remove() }, () => redis.leave()]
})
afterEach(async () => {
  for (const close of closers.toReversed()) await close()
})

/** One replica with a connection of its own; what it answers a request with the key. */
async function startReplica (): Promise<() => Promise<number>> {
  const say = (_fields: object, message: string) => { said.push(message) }
  const counter = await connectSharedCounter(redis.url, { info: say, warn: say, error: say })
  closers.push(counter.close)
  const replica = await startGuarded(folder.file, { counter })
  closers.push(replica.close)
  return async () => (await replica.get('/out', { 'x-api-key': secret })).statusCode
}

/** Resolves when the replica's connection is there: until then no request is counted. */
async function connected (ask: () => Promise<number>): Promise<void> {
  await until('a request is counted', DEADLINE_MS, async () => {
    const before = redis.counted
    await ask()
    return redis.counted > before || undefined
  })
  redis.forget()
}

test('replicas count the requests of a key together', async () => {
  const [first, second] = [await startReplica(), await startReplica()]
  await connected(first)
  await connected(second)
  expect([await first(), await second(), await first(), await second()]).toEqual([200, 200, 429, 429])
})

test('requests wait for no Redis that is silent, and pass', async () => {
  const ask = await startReplica()
  await connected(ask)
  redis.silent = true
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 200])
})

test('requests pass while Redis is away, which is said once, and are limited again when it is back', async () => {
  const ask = await startReplica()
  await connected(ask)
  await redis.leave()
  await until('it is said that Redis is away', DEADLINE_MS, () => said.includes(AWAY) || undefined)
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 200])
  await redis.come()
  await connected(ask)
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
  expect(said).toEqual([AWAY, BACK])
})

test('a replica starts while Redis is away', async () => {
  await redis.leave()
  const ask = await startReplica()
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 200])
  await redis.come()
  await connected(ask)
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
})
