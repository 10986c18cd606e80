/** `millrace start` as a process: how it ends, what it leaves, and how it says that it cannot start. */
import { rmSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { occupyPort } from '../support/free-ports.ts'
import { Millrace, isAlive, newPlace, showLogOfFailures, startMillrace, startMillraceAt } from '../support/millrace.ts'
import { until } from '../support/until.ts'
import { range, tag } from './user-tag-events.ts'
import type { AddressInfo } from 'node:net'

const EVENTS = 500
const DAY = range('2022-03-22T00:00:00', '2022-03-23T00:00:00')
const EX_CONFIG = 78

let running: Millrace | undefined
showLogOfFailures(() => running)
afterEach(async () => {
  await running?.kill()
  if (running !== undefined) rmSync(running.place.directory, { recursive: true, force: true })
  running = undefined
})

async function stored (millrace: Millrace): Promise<number> {
  return (await Promise.all(['one', 'two', 'three'].map(async (cookie) => {
    const { views } = await millrace.profile(cookie, DAY)
    return views.length
  }))).reduce((sum, count) => sum + count, 0)
}

function events (count: number): object[] {
  return Array.from({ length: count }, (_, index) => {
    return tag({ cookie: ['one', 'two', 'three'][index % 3] as string, product: index })
  })
}

describeOnEachLog('millrace start', (kind) => {
  test('an interrupt ends all of it with code 0 in the drain time, and the next start has all the data', async () => {
    running = await startMillrace({ kind })
    await running.postAll(events(EVENTS))
    const pids = running.childPids
    // Past its drain time it would end with another code.
    expect(await running.shutDown('SIGINT')).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
    running = await startMillraceAt(running.place)
    await expect.poll(() => stored(running as Millrace)).toBe(EVENTS)
    const [row] = await running.sql<{ rows: number }>('SELECT count() AS rows FROM user_tags')
    expect(row?.rows).toBe(EVENTS)
  })

  test('when the supervisor is killed no child is left, and the next start has all the data', async () => {
    running = await startMillrace({ kind })
    await running.postAll(events(EVENTS))
    const pids = running.childPids
    expect(pids.filter(isAlive)).toHaveLength(3)
    running.supervisor.kill('SIGKILL')
    await expect.poll(() => pids.filter(isAlive)).toEqual([])
    running = await startMillraceAt(running.place)
    await expect.poll(() => stored(running as Millrace)).toBe(EVENTS)
  })
})

describe('millrace start that cannot', () => {
  test('because it is told to end leaves no child, even one that is stuck', async () => {
    running = new Millrace(await newPlace({ kind: 'embedded' }), { SHUTDOWN_MS_MAX: '1500' })
    const [stuck] = await until('a child was started', 30_000, () => {
      return running?.childPids.length === 0 ? undefined : running?.childPids
    })
    process.kill(stuck as number, 'SIGSTOP')
    running.supervisor.kill('SIGTERM')
    expect(await running.exit()).toBe(1)
    await expect.poll(() => running?.childPids.filter(isAlive)).toEqual([])
  })

  test('says that DATA_DIR takes no files, where Node would try to make it for ever', async () => {
    const place = await newPlace({ kind: 'embedded' })
    running = new Millrace(place, { DATA_DIR: '/proc/millrace/data' })
    expect(await running.exit()).toBe(EX_CONFIG)
    await expect.poll(() => running?.lines.join('\n')).toContain('DATA_DIR=/proc/millrace/data is no folder that can be written to')
    expect(running.childPids).toEqual([])
  })

  test('says which port is taken, ends, and leaves nothing: any of its three ports', async () => {
    const occupant = await occupyPort()
    const taken = (occupant.address() as AddressInfo).port
    const systems = await Promise.all((['http', 'processors', 'clickHouse'] as const).map(async (port) => {
      const place = await newPlace({ kind: 'embedded' })
      return new Millrace({ ...place, ports: { ...place.ports, [port]: taken } }, {})
    }))
    for (const system of systems) {
      running = system
      expect(await system.exit()).toBe(EX_CONFIG)
      // The last lines of a process may be read after its end is known.
      await expect.poll(() => system.lines.join('\n')).toContain(`127.0.0.1:${taken}`)
      await expect.poll(() => system.childPids.filter(isAlive)).toEqual([])
      rmSync(system.place.directory, { recursive: true, force: true })
    }
    await new Promise((resolve) => occupant.close(resolve))
  })

  test('names every setting that is wrong, before it starts anything', async () => {
    const place = await newPlace({ kind: 'embedded' })
    running = new Millrace(place, { LOG_LEVEL: 'loud', BATCH_ROWS_MAX: '0' })
    expect(await running.exit()).toBe(EX_CONFIG)
    await expect.poll(() => running?.lines.join('\n')).toMatch(/LOG_LEVEL[^]*BATCH_ROWS_MAX|BATCH_ROWS_MAX[^]*LOG_LEVEL/)
    expect(running.childPids).toEqual([])
  })
})
