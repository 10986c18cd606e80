import fc from 'fast-check'
import { expect } from 'vitest'
import { WINDOW_MS } from './delivery-system.ts'
import type { Appended, DeliverySystem, Owner, OwnerLimits } from './delivery-system.ts'

/** What a test knows of the system: what was appended. */
export interface DeliveryModel {
  appended: Appended[]
  nowMs: number
}

/** What becomes of each offset, by the promise alone. */
export function outcomes (appended: readonly Appended[]): Array<'stored' | 'dead letter' | 'duplicate'> {
  const stored: Appended[] = []
  return appended.map((record) => {
    const isCopy = (other: Appended): boolean => {
      return other.id === record.id && Math.abs(other.receivedAtMs - record.receivedAtMs) <= WINDOW_MS
    }
    if (record.flaw === 'undecodable') return 'dead letter'
    if (record.mayComeAgain && stored.some(isCopy)) return 'duplicate'
    if (record.flaw === 'refused by storage') return 'dead letter'
    if (record.mayComeAgain) stored.push(record)
    return 'stored'
  })
}

/** What holds at every moment: nothing is there twice, and nothing that should not be. */
function expectNothingWrong ({ appended }: DeliveryModel, system: DeliverySystem): void {
  const expected = outcomes(appended)
  for (const [table, outcome] of [['user_tags', 'stored'], ['dead_letters', 'dead letter']] as const) {
    const offsets = system.offsets(table)
    expect(new Set(offsets).size).toBe(offsets.length)
    expect(offsets.filter((offset) => expected[offset] !== outcome)).toEqual([])
  }
}

/** What holds once everything is delivered: each record is accounted for, once, and nothing is left to do. */
export function expectAllDelivered ({ appended }: DeliveryModel, system: DeliverySystem): void {
  const expected = outcomes(appended)
  const offsetsOf = (wanted: string): number[] => {
    return expected.flatMap((outcome, offset) => outcome === wanted ? [offset] : [])
  }
  const ascending = (offsets: number[]): number[] => offsets.toSorted((a, b) => a - b)
  expect(ascending(system.offsets('user_tags'))).toEqual(offsetsOf('stored'))
  expect(ascending(system.offsets('dead_letters'))).toEqual(offsetsOf('dead letter'))
  let next = 0
  let duplicates = 0
  for (const batch of system.ledger) {
    expect(batch.first).toBe(next)
    expect(batch.records).toBe(batch.last + 1 - batch.first)
    next = batch.last + 1
    duplicates += batch.duplicates
  }
  expect(duplicates).toBe(offsetsOf('duplicate').length)
  expect(system.partition.committed).toEqual({ offset: appended.length, metadata: '' })
  expect(next).toBe(appended.length)
}

type Command = fc.AsyncCommand<DeliveryModel, DeliverySystem>

/** A command on the owner that came `age` before the newest, of those that live. */
abstract class OwnerCommand implements Command {
  readonly age: number

  constructor (age: number) {
    this.age = age
  }

  check (): boolean {
    return true
  }

  async run (model: DeliveryModel, system: DeliverySystem): Promise<void> {
    const owner = system.owners.at(-1 - this.age)
    if (owner !== undefined) await this.act(owner, system)
    expectNothingWrong(model, system)
  }

  protected abstract act (owner: Owner, system: DeliverySystem): Promise<void>
}

class Step extends OwnerCommand {
  readonly count: number

  constructor (age: number, count: number) {
    super(age)
    this.count = count
  }

  protected override async act (owner: Owner): Promise<void> {
    for (let step = 0; step < this.count; step++) await owner.step()
  }

  override toString = (): string => `owner ${this.age} does ${this.count} steps`
}

/** A call of the owner fails: before its effect, or after it, when the outcome is unknown to the owner. */
class Fault extends OwnerCommand {
  protected override async act (owner: Owner): Promise<void> {
    await owner.step(new Error('a fault that passes'))
  }

  override toString = (): string => `owner ${this.age} meets a fault`
}

class Crash extends OwnerCommand {
  protected override async act (owner: Owner, system: DeliverySystem): Promise<void> {
    system.owners.splice(system.owners.indexOf(owner), 1)
  }

  override toString = (): string => `owner ${this.age} dies`
}

class Take implements Command {
  readonly limits: OwnerLimits

  constructor (limits: OwnerLimits) {
    this.limits = limits
  }

  check = (): boolean => true

  async run (_model: DeliveryModel, system: DeliverySystem): Promise<void> {
    system.take(this.limits)
  }

  toString = (): string => `a new owner, ${JSON.stringify(this.limits)}`
}

interface NewRecord extends Omit<Appended, 'receivedAtMs'> {
  passedMs: number
}

class Append implements Command {
  readonly records: readonly NewRecord[]

  constructor (records: readonly NewRecord[]) {
    this.records = records
  }

  check = (): boolean => true

  async run (model: DeliveryModel, system: DeliverySystem): Promise<void> {
    for (const { passedMs, ...record } of this.records) {
      model.nowMs += passedMs
      const appended = { ...record, receivedAtMs: model.nowMs }
      model.appended.push(appended)
      system.append(appended)
    }
  }

  toString = (): string => `append ${JSON.stringify(this.records)}`
}

/** Plans of appends, owners that follow each other, and steps, faults and deaths of any of them. */
export function deliveryCommands (): fc.Arbitrary<Iterable<Command>> {
  const age = fc.nat(2)
  const few = fc.integer({ min: 1, max: 6 })
  const flaw = fc.oneof(
    { weight: 8, arbitrary: fc.constant('none' as const) },
    { weight: 1, arbitrary: fc.constant('undecodable' as const) },
    { weight: 1, arbitrary: fc.constant('refused by storage' as const) }
  )
  const record = fc.record({ id: fc.nat(4), passedMs: fc.nat(500), mayComeAgain: fc.boolean(), flaw })
  const limits = fc.record({ rowsMax: few, idsMax: few })
  const step = fc.tuple(age, fc.integer({ min: 1, max: 15 })).map(([of, count]) => new Step(of, count))
  return fc.commands([
    fc.array(record, { minLength: 1, maxLength: 6 }).map((records) => new Append(records)),
    limits.map((of) => new Take(of)),
    step, step, step,
    age.map((of) => new Fault(of)),
    age.map((of) => new Crash(of))
  ], { maxCommands: 40, size: 'max' })
}
