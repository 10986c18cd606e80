/**
 * The balance of one partition: every offset that the log gave out is stored, dead-lettered, a duplicate,
 * erased, or in flight, once. What the batches say of the offsets below the committed one is summed by SQL
 * (batch-queries.ts); here it is held against the log.
 */
import type { LogPosition } from './log-positions.ts'

/** What became of the records of some offsets. */
export interface Counts {
  /** Offsets that the log gave out, each once. */
  accepted: number
  stored: number
  dead_lettered: number
  duplicates: number
  erased: number
}

/** What the batches of a partition say about a span of time. */
export interface BookedCounts extends Counts {
  /** Offsets in no batch, offsets in two, and differences between a batch's length and its counts. */
  imbalance: number
}

/** The offsets `[from, to)` that all batches of a partition reach over, whenever they were. */
export interface BookedReach {
  from: number
  to: number
}

export type FaultKind =
  /** Offsets that no batch accounts for. */
  | 'gap'
  /** Offsets that two batches account for. */
  | 'overlap'
  /** A batch whose counts are not as many as its offsets. */
  | 'miscount'
  /** A table that does not hold what the batches say. */
  | 'recount'

/** Where the books do not agree; expected and found are numbers of records. */
export interface LedgerFault {
  kind: FaultKind
  table: string
  stream: string
  /** Null for a table that knows no positions in the log. */
  partition: number | null
  /** Of arrival, but of the event in a rollup; null where nothing tells. Epoch seconds. */
  minute_s: number | null
  first_offset: number | null
  last_offset: number | null
  expected: number
  found: number
}

export interface PartitionBalance extends Counts {
  stream: string
  partition: number
  begin: number
  committed: number
  end: number
  in_flight: number
  /** accepted - stored - dead_lettered - duplicates - erased - in_flight. */
  balance: number
  /** As the balance, but what is missing and what is there twice do not make up for each other. */
  imbalance: number
}

export const NOTHING_BOOKED: BookedCounts = Object.freeze({
  accepted: 0, stored: 0, dead_lettered: 0, duplicates: 0, erased: 0, imbalance: 0
})

/** What a count is off by: positive where records are missing, negative where there are too many. */
export function differenceOf ({ accepted, stored, dead_lettered: dead, duplicates, erased }: Counts): number {
  return accepted - stored - dead - duplicates - erased
}

/**
 * The balance of a partition. Offsets that the log still holds, below the committed one, and before or after
 * everything that is booked, count as accepted: they are the gaps that no batch has beside it. What lies
 * before the log's begin and before every batch is unknown, and left out.
 */
export function balanceOf (
  position: LogPosition, booked: BookedCounts, reach: BookedReach | undefined
): PartitionBalance {
  const { stream, partition, begin, committed, end } = position
  const beside = edgeGaps(position, reach).reduce((sum, { from, to }) => sum + to - from, 0)
  const { imbalance, ...counts } = booked
  const inFlight = end - committed
  const balance = differenceOf(counts) + beside
  return {
    stream,
    partition,
    begin,
    committed,
    end,
    ...counts,
    accepted: counts.accepted + beside + inFlight,
    in_flight: inFlight,
    balance,
    imbalance: imbalance + beside
  }
}

/** Runs of offsets `[from, to)` in the log, below the committed offset, outside the reach of all batches. */
export function edgeGaps (
  { begin, committed }: Pick<LogPosition, 'begin' | 'committed'>, reach: BookedReach | undefined
): BookedReach[] {
  if (reach === undefined) return run(begin, committed)
  return [...run(begin, Math.min(reach.from, committed)), ...run(Math.max(reach.to, begin), committed)]
}

export function edgeFaults (position: LogPosition, reach: BookedReach | undefined): LedgerFault[] {
  const { stream, partition } = position
  return edgeGaps(position, reach).map(({ from, to }) => ({
    kind: 'gap',
    table: 'batches',
    stream,
    partition,
    minute_s: null,
    first_offset: from,
    last_offset: to - 1,
    expected: to - from,
    found: 0
  }))
}

function run (from: number, to: number): BookedReach[] {
  return from < to ? [{ from, to }] : []
}
