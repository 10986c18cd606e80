import { streams as allStreams } from '../../contract/index.ts'
import {
  batchFaultsQuery, bookedMinutesQuery, bookedPartitionsQuery, bookedReachQuery, partitionKey, toBatchFaults,
  toBookedMinutes, toBookedPartitions, toBookedReach
} from './batch-queries.ts'
import { NOTHING_BOOKED, balanceOf, differenceOf, edgeFaults } from './balance.ts'
import { cursorText } from './parse-ledger-request.ts'
import { recountStream } from './recount.ts'
import type { QueryClient } from '../query-client.ts'
import type { RetentionDays } from '../questions/catalogue.ts'
import type { BatchRange } from './batch-queries.ts'
import type { BookedCounts, LedgerFault, PartitionBalance } from './balance.ts'
import type { LedgerRequest } from './parse-ledger-request.ts'
import type { LogPosition, LogPositions } from './log-positions.ts'
import type { Recounted } from './recount.ts'

export interface LedgerSources {
  client: QueryClient
  logPositions: LogPositions
  retentionDays: RetentionDays
  /** Epoch milliseconds. */
  now: () => number
}

type Totals = Omit<PartitionBalance, 'stream' | 'partition' | 'begin' | 'committed' | 'end'>

export interface Ledger {
  from: string
  to: string
  /** True where nothing is missing and nothing is there twice, in flight or not. */
  balanced: boolean
  totals: Totals
  partitions: PartitionBalance[]
  minutes: Array<BookedCounts & { minute: string, stream: string, partition: number, balance: number }>
  next_cursor: string | null
  faults: Array<Omit<LedgerFault, 'minute_s'> & { minute: string | null }>
  recounted: Recounted[]
}

/**
 * The books of a time range: the log is asked first, so that everything below its committed offsets is in the
 * tables when these are asked. Rejects with MillraceError `log_unavailable` or `storage_unavailable`.
 */
export async function readLedger (
  request: LedgerRequest, sources: LedgerSources, signal: AbortSignal
): Promise<Ledger> {
  const { client } = sources
  const streams = allStreams.filter(({ name }) => request.stream === undefined || name === request.stream)
  const found = await Promise.all(streams.map(({ name }) => sources.logPositions.positionsOf(name)))
  const positions = found.flat()
  const range = { positions, timeRange: request.timeRange }
  const { partitions, faults } = await readBalances(range, client, signal)
  const booked = toBookedMinutes(await client.query(bookedMinutesQuery(range, request), signal))
  faults.push(...toBatchFaults(await client.query(batchFaultsQuery(range), signal)))
  const recounted: Recounted[] = []
  for (const stream of request.recount ? streams : []) {
    const own = { ...range, positions: positions.filter((position) => position.stream === stream.name) }
    const recount = await recountStream(stream, own, { ...sources, signal, nowMs: sources.now() })
    recounted.push(...recount.tables)
    faults.push(...recount.faults)
  }
  const minutes = booked.slice(0, request.limit)
  const last = minutes.at(-1)
  return {
    from: timeText(request.timeRange.fromMs / 1000),
    to: timeText(request.timeRange.toMs / 1000),
    balanced: faults.length === 0,
    totals: totalOf(partitions),
    partitions,
    minutes: minutes.map(({ minute_s: minute, ...row }) => {
      return { minute: timeText(minute), ...row, balance: differenceOf(row) }
    }),
    next_cursor: booked.length > request.limit && last !== undefined ? cursorText(last) : null,
    faults: faults.map(({ minute_s: minute, ...fault }) => {
      return { ...fault, minute: minute === null ? null : timeText(minute) }
    }),
    recounted
  }
}

/** The balance of every partition, and the gaps beside its batches. */
export async function readBalances (
  range: BatchRange, client: QueryClient, signal: AbortSignal
): Promise<{ partitions: PartitionBalance[], faults: LedgerFault[] }> {
  const booked = toBookedPartitions(await client.query(bookedPartitionsQuery(range), signal))
  const reach = toBookedReach(await client.query(bookedReachQuery(range.positions), signal))
  const each = <T>(work: (position: LogPosition, key: string) => T): T[] => {
    return range.positions.map((position) => work(position, partitionKey(position)))
  }
  return {
    partitions: each((position, key) => {
      return balanceOf(position, booked.get(key) ?? NOTHING_BOOKED, reach.get(key))
    }),
    faults: each((position, key) => edgeFaults(position, reach.get(key))).flat()
  }
}

function totalOf (partitions: readonly PartitionBalance[]): Totals {
  const sum = (of: (partition: PartitionBalance) => number): number => {
    return partitions.reduce((total, partition) => total + of(partition), 0)
  }
  return {
    accepted: sum(({ accepted }) => accepted),
    stored: sum(({ stored }) => stored),
    dead_lettered: sum(({ dead_lettered: dead }) => dead),
    duplicates: sum(({ duplicates }) => duplicates),
    erased: sum(({ erased }) => erased),
    in_flight: sum(({ in_flight: inFlight }) => inFlight),
    balance: sum(({ balance }) => balance),
    imbalance: sum(({ imbalance }) => imbalance)
  }
}

function timeText (seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
