/**
 * The delivery protocol against its promise: any interleaving of owners that fencing allows, zombies that
 * insert late included, with crashes and faults before and after every effect, and clients that repeat
 * themselves. The same property fails as soon as any part of the protocol is left out.
 */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { deliveryCommands, expectAllDelivered } from './delivery-commands.ts'
import { DeliverySystem, OMISSIONS } from './delivery-system.ts'
import { createUserTagRecords } from './user-tag-records.ts'
import type { DeliveryModel } from './delivery-commands.ts'
import type { Omission } from './delivery-system.ts'
import type { UserTagRecords } from './user-tag-records.ts'

const TIMEOUT = { timeout: 600_000 }
let records: UserTagRecords
beforeAll(async () => { records = await createUserTagRecords() })

function exactlyOnce (without?: Omission): fc.IAsyncPropertyWithHooks<unknown> {
  return fc.asyncProperty(deliveryCommands(), async (commands) => {
    const model: DeliveryModel = { appended: [], nowMs: 1_000_000 }
    const system = new DeliverySystem(records, without)
    await fc.asyncModelRun(() => ({ model, real: system }), commands)
    await system.finish()
    expectAllDelivered(model, system)
  })
}

test('each record is accounted for exactly once, in every run', TIMEOUT, async () => {
  await fc.assert(exactlyOnce(), { numRuns: 250 })
})

test.each(OMISSIONS)('a protocol without %s does not keep the promise', TIMEOUT, async (omission) => {
  const { failed } = await fc.check(exactlyOnce(omission), { numRuns: 2_000, endOnFailure: true, seed: 1 })
  expect(failed).toBe(true)
})
