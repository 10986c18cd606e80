/**
 * The guarantees of EventLog, as tests that run on every implementation of it. An adapter's test file calls
 * `describeEventLog` with a harness; what only one adapter promises (retention, faults) is tested beside it.
 */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe } from 'vitest'
import { Child, Member } from './conformance-harness.ts'
import { testAppend } from './conformance-append.ts'
import { testGroups } from './conformance-groups.ts'
import { testRead } from './conformance-read.ts'
import type { ChildCommand } from './conformance-child.ts'
import type { EventLog } from '../../eventlog/index.ts'
import type { EventLogHarness } from './conformance-harness.ts'

export type { EventLogHarness } from './conformance-harness.ts'

/** What one test works with; everything that it opens is closed after it. */
export interface Scene {
  readonly deadlineMs: number
  readonly tooLargeBytes: number
  open: () => Promise<EventLog>
  openImpatient: () => Promise<EventLog>
  /** A topic that nothing has used. */
  topic: (log: EventLog, partitions: number) => Promise<string>
  join: (log: EventLog, group: string, topic: string) => Promise<Member>
  child: (command: ChildCommand) => Child
}

/** Registers the suite. `makeHarness` is called before every test. */
export function describeEventLog (name: string, makeHarness: () => Promise<EventLogHarness>): void {
  describe(`${name} event log`, () => {
    let harness: EventLogHarness
    let close: Array<() => Promise<unknown>>

    const closing = (log: EventLog): EventLog => {
      close.push(async () => await log.close())
      return log
    }
    const scene: Scene = {
      get deadlineMs () { return harness.deadlineMs },
      get tooLargeBytes () { return harness.tooLargeBytes },
      open: async () => closing(await harness.open()),
      openImpatient: async () => closing(await harness.openImpatient()),
      topic: async (log, partitions) => {
        const topic = `conformance-${randomUUID()}`
        await log.createTopics([{ name: topic, partitions }])
        return topic
      },
      join: async (log, group, topic) => {
        const member = await Member.join(log, group, topic)
        close.push(async () => await member.stop())
        return member
      },
      child: (command) => {
        const child = new Child(harness, command)
        close.push(async () => await child.signal('SIGKILL'))
        return child
      }
    }

    beforeEach(async () => {
      close = []
      harness = await makeHarness()
    })

    afterEach(async () => {
      for (const step of close.reverse()) await step()
      await harness.close()
    })

    testAppend(scene)
    testRead(scene)
    testGroups(scene)
  })
}
