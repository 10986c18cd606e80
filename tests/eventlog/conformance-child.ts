/**
 * A second process on the log, for the conformance suite: opens the log that `module` and `config` name, and
 * appends or consumes until it is killed. Speaks one JSON object a line.
 *
 *     conformance-child.ts <module> <config> <command>
 */
import { createInterface } from 'node:readline'
import type { EventLog, PartitionSession, RecordLocation } from '../../eventlog/index.ts'

/** What a harness's child module exports. */
export interface ChildModule {
  openEventLog: (config: unknown) => Promise<EventLog>
}

export type ChildCommand =
  /** Appends batches of ten, each value `<name>-<counter>`, until `records` are stored. */
  | { do: 'append', topic: string, name: string, records: number }
  /** Joins the group; commits what comes on standard input. */
  | { do: 'consume', topic: string, group: string }

export type ChildMessage =
  | { event: 'acknowledged', values: string[], locations: RecordLocation[] }
  | { event: 'done' }
  | { event: 'session', partition: number, committed: { offset: number, metadata: string } }
  | { event: 'commit', partition: number, outcome: string }

export interface CommitRequest {
  partition: number
  offset: number
  metadata: string
}

const BATCH_RECORDS = 10

const [module, config, command] = process.argv.slice(2) as [string, string, string]
const { openEventLog } = await import(module) as ChildModule
const log = await openEventLog(JSON.parse(config))
const parsed = JSON.parse(command) as ChildCommand
if (parsed.do === 'append') await append(parsed)
else await consume(parsed)

async function append ({ topic, name, records }: ChildCommand & { do: 'append' }): Promise<void> {
  for (let counter = 0; counter < records; counter += BATCH_RECORDS) {
    const values = Array.from({ length: BATCH_RECORDS }, (_, index) => `${name}-${counter + index}`)
    const locations = await log.append(topic, values.map((value) => ({
      key: Buffer.from(value), value: Buffer.from(value), timestampMs: Date.now()
    })))
    say({ event: 'acknowledged', values, locations })
  }
  say({ event: 'done' })
  await log.close()
}

async function consume ({ topic, group }: ChildCommand & { do: 'consume' }): Promise<void> {
  const sessions = new Map<number, PartitionSession>()
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => {
    const { partition, ...commit } = JSON.parse(line) as CommitRequest
    commitAndSay(sessions.get(partition), partition, commit).catch(() => process.exit(1))
  })
  await log.consume({
    group,
    topics: [topic],
    onError: () => {},
    onPartition: async (session) => {
      // The first session is kept, so that a commit with it after the partition was lost can be tried.
      if (!sessions.has(session.partition)) sessions.set(session.partition, session)
      say({ event: 'session', partition: session.partition, committed: session.committed })
      await new Promise<void>((resolve) => {
        if (session.signal.aborted) resolve()
        else session.signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  })
}

async function commitAndSay (
  session: PartitionSession | undefined, partition: number, commit: { offset: number, metadata: string }
): Promise<void> {
  let outcome = 'committed'
  try {
    if (session === undefined) throw new Error('no such session')
    await session.commit(commit)
  } catch (error) {
    outcome = (error as { code?: string }).code ?? String(error)
  }
  say({ event: 'commit', partition, outcome })
}

function say (message: ChildMessage): void {
  process.stdout.write(JSON.stringify(message) + '\n')
}
