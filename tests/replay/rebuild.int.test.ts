/** What happens around the moment at which a rebuilt table and the live one change places. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { withErasureLock } from '../../erasure/index.ts'
import { carryOut } from '../../erasure/erasure-job.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import { until } from '../support/until.ts'
import { TENANT } from '../erasure/job-bench.ts'
import { ReplayBench } from './replay-bench.ts'
import type { ClickHouseClient } from '../../clickhouse/index.ts'
import type { InsertRequest } from '../../processors/index.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

const DEADLINE_MS = 120_000
const TABLES = ['user_tags_by_cookie', 'user_tags_by_minute']

let clickHouse: TestClickHouse
let bench: ReplayBench
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(() => clickHouse?.close())
beforeEach(async () => {
  bench = await ReplayBench.open(clickHouse)
  for (const cookie of ['a', 'b', 'c', 'erased']) await bench.append(cookie, 15)
  await bench.isStored()
})
afterEach(() => bench?.close())

async function expectEachOnce (): Promise<void> {
  expect(await bench.positionsIn('user_tags_by_cookie')).toEqual(await bench.positionsIn('user_tags'))
  for (const table of TABLES) {
    expect({ table, events: await bench.eventsIn(table) }).toEqual({ table, events: await bench.eventsIn('user_tags') })
  }
}

function isOf (cookie: string, { rows }: InsertRequest): boolean {
  return rows.some((row) => row['cookie'] === cookie)
}

describe.each(TABLES)('an insert that is repeated around the swap of %s', (table) => {
  test('by a zombie, however long after it, is stored once, and after another rebuild too', async () => {
    for (const cookie of ['d', 'e']) {
      bench.newStore().beforeCount = async () => {
        if (bench.store.hasSwapped) return
        await bench.append(cookie, 15)
        await bench.isStored()
      }
      await bench.rebuild(table)
      await bench.sink.insertAgain()
      await expectEachOnce()
    }
    await bench.append('f', 15)
    await bench.isStored()
    await bench.sink.insertAgain()
    await expectEachOnce()
  })

  test('of a batch that is not committed holds up the swap, and is stored once', async () => {
    const held = Promise.withResolvers<void>()
    let isHeld = false
    let isReleased = false
    bench.sink.after = async (request) => {
      if (!isOf('held', request) || isHeld) return
      isHeld = true
      held.resolve()
      const looks = bench.looks
      await until('the swap waits', DEADLINE_MS, () => bench.looks > looks + 10 || undefined)
      isReleased = true
      throw new Error('the answer is lost')
    }
    bench.store.beforeCount = async () => {
      if (isHeld) return
      await bench.append('held')
      await held.promise
    }
    bench.store.beforeSwap = async () => { expect(isReleased).toBe(true) }
    await bench.rebuild(table)
    await bench.isStored()
    await expectEachOnce()
  })

  test('of a batch that begins between the last look and the swap, is stored once, or else the counts tell', async () => {
    const swapped = () => until('the tables have changed places', DEADLINE_MS, () => bench.store.hasSwapped || undefined)
    bench.sink.before = async (request) => { if (isOf('after', request)) await swapped() }
    bench.store.beforeSwap = async () => await bench.append('after')
    await bench.rebuild(table)
    await bench.isStored()
    await expectEachOnce()

    const inserted = Promise.withResolvers<void>()
    bench.sink.after = async (request) => {
      if (!isOf('before', request)) return
      inserted.resolve()
      await swapped()
    }
    bench.newStore().beforeSwap = async () => {
      await bench.append('before')
      await inserted.promise
    }
    await bench.rebuild(table)
    await bench.isStored()
    await expectEachOnce()

    const again = Promise.withResolvers<void>()
    bench.sink.after = async (request) => {
      if (!isOf('both', request) || bench.store.hasSwapped) return
      again.resolve()
      await swapped()
      throw new Error('the answer is lost')
    }
    bench.newStore().beforeSwap = async () => {
      await bench.append('both')
      await again.promise
    }
    await expect(bench.rebuild(table, { countMsMax: 1_000 })).rejects.toMatchObject({ code: 'counts_differ' })
    bench.newStore()
    await bench.rebuild(table)
    await expectEachOnce()
  })
})

describe('an erasure and the swap', () => {
  const LIVE = 'user_tags_by_cookie'
  const rowsOfErased = async (table: string, applied: 0 | 1): Promise<number | undefined> => {
    const [row] = await bench.erasure.sql<{ n: number }>(
      `SELECT toUInt32(count()) AS n FROM ${table} WHERE cookie = 'erased' SETTINGS apply_deleted_mask = ${applied}`)
    return row?.n
  }
  const stateOf = async (id: string): Promise<string> => (await bench.erasure.erasures.show(TENANT, id)).state

  test('that arrives between the last mask and the swap waits, so that no row is back', async () => {
    const { erasures, options } = bench.erasure
    const { id } = await erasures.create({ tenant: TENANT, subject: 'erased' })
    let work: Promise<void> | undefined
    bench.store.beforeSwap = async () => {
      const waits = Promise.withResolvers<void>()
      const client = watchRefusals(options.client, () => waits.resolve())
      work = carryOut({ ...options, client }, AbortSignal.timeout(DEADLINE_MS))
      await Promise.race([work, waits.promise])
    }
    bench.store.afterSwap = async () => {
      expect({ state: await stateOf(id), rows: await rowsOfErased(LIVE, 1) }).toEqual({ state: 'hidden', rows: 15 })
    }
    await bench.rebuild(LIVE)
    await work
    expect(await stateOf(id)).toBe('removed')
    for (const table of ['user_tags', LIVE]) expect(await rowsOfErased(table, 0)).toBe(0)
    expect(await bench.positionsIn(LIVE)).toEqual(await bench.positionsIn('user_tags'))
  })

  test('that was complete before its rows came to the new table leaves none there, masked or not', async () => {
    const { erasures, options } = bench.erasure
    await erasures.create({ tenant: TENANT, subject: 'erased' })
    bench.store.beforeView = async () => await carryOut(options, AbortSignal.timeout(DEADLINE_MS))
    // What was decided before the erasure is stored after it.
    let fromLog: number | undefined
    bench.store.beforeRemoval = async () => { fromLog ??= await rowsOfErased(`${LIVE}__replay`, 1) }
    bench.store.beforeSwap = async () => { expect(await rowsOfErased(`${LIVE}__replay`, 0)).toBe(0) }
    await bench.rebuild(LIVE)
    expect(fromLog).toBe(15)
    expect(await rowsOfErased(LIVE, 0)).toBe(0)
    expect(await bench.positionsIn(LIVE)).toEqual(await bench.positionsIn('user_tags'))
  })

  test('that takes too long stops the command with an error, and the same command goes on', async () => {
    const { options: { client, config } } = bench.erasure
    const signal = AbortSignal.timeout(DEADLINE_MS)
    await withErasureLock({ client, config, signal }, async () => {
      await expect(bench.rebuild(LIVE, { swapWaitMsMax: 300 })).rejects.toMatchObject({
        code: 'erasure_under_way', retryable: true
      })
      expect(bench.store.hasSwapped).toBe(false)
      await expect(bench.readInto('read_again', { erasureWaitMsMax: 300 })).rejects.toMatchObject({
        code: 'erasure_under_way', retryable: true
      })
    })
    expect(await bench.readInto('read_again')).toMatchObject({ events: 60, resumed: true })
    expect(await bench.rebuild(LIVE)).toMatchObject({ resumed: true })
    await expectEachOnce()
  })

  test('finds the table that a stopped rebuild has left behind', async () => {
    const { erasures, options, store } = bench.erasure
    bench.store.beforeSwap = async () => { throw new Error('the process died') }
    await expect(bench.rebuild(LIVE)).rejects.toThrow('the process died')
    expect(await rowsOfErased(`${LIVE}__replay`, 1)).toBe(15)
    const { id } = await erasures.create({ tenant: TENANT, subject: 'erased' })
    await carryOut(options, AbortSignal.timeout(DEADLINE_MS))
    expect((await store.tablesOf([id])).map(({ table, rowsMasked }) => [table, rowsMasked])).toContainEqual([`${LIVE}__replay`, 15])
    expect(await rowsOfErased(`${LIVE}__replay`, 0)).toBe(0)
    bench.newStore()
    expect(await bench.rebuild(LIVE)).toMatchObject({ resumed: true })
    expect(await rowsOfErased(LIVE, 0)).toBe(0)
  })

  test('is carried out while the rollup of a stopped rebuild lies there, which holds nobody', async () => {
    const { erasures, options, store } = bench.erasure
    bench.store.beforeSwap = async () => { throw new Error('the process died') }
    await expect(bench.rebuild('user_tags_by_minute')).rejects.toThrow('the process died')
    expect(await bench.eventsIn('user_tags_by_minute__replay')).toBe(60)
    const { id } = await erasures.create({ tenant: TENANT, subject: 'erased' })
    await carryOut(options, AbortSignal.timeout(DEADLINE_MS))
    expect(await stateOf(id)).toBe('removed')
    expect((await store.tablesOf([id])).map(({ table }) => table)).not.toContain('user_tags_by_minute__replay')
    bench.newStore()
    expect(await bench.rebuild('user_tags_by_minute')).toMatchObject({ resumed: true })
    expect(await bench.eventsIn('user_tags_by_minute')).toBe(60)
  })
})

/** Tells of every command that the server refuses: the lock of another holder is one. */
function watchRefusals (client: ClickHouseClient, onRefusal: () => void): ClickHouseClient {
  return new Proxy(client, {
    get: (target, name) => {
      const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target)
      if (name !== 'command') return method
      return (...args: unknown[]) => method(...args).catch((error: unknown) => {
        onRefusal()
        throw error
      })
    }
  })
}
